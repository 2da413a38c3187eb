"""Documents that are due and cannot be issued: which, why, since when, and when they are tried."""
