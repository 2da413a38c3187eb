"""What a person says of a session in its station's place."""
