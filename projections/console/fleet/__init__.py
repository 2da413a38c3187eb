"""Fleet now: whether all is well with stations, connectors and the sessions that run."""
