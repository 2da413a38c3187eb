"""The event log: its lines, the port, how records are stored, and the store in PostgreSQL."""
