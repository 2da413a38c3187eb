"""Documents in a running system: the process that renders and delivers them, and its ways."""
