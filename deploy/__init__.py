"""The composition root: command line, settings, wiring, embedded PostgreSQL, the demo."""
