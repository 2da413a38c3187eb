"""What a station is answered, per OCPP version."""
