"""What the vehicle did during a session, where its last sign ends, and which time is billed."""
