"""The simulated month: it drives the real system, then checks everything."""
