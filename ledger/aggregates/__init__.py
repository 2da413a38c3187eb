"""How decisions of the `eventsourcing` library are stored."""
