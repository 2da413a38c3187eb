"""The event log: its lines, the ports, records and repeats, the outbox, the PostgreSQL store."""
