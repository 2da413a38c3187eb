"""Facts, sessions, decisions, journal and documents. Knows nothing of OCPP, reads no clock."""
