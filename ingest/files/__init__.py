"""Files between us and stations: firmware they fetch, logs they send, by one-time addresses."""
