"""What the vehicle did during a session, and where its last sign ends."""
