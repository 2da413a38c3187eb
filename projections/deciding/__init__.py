"""What a person's choice about a session would come to, before anybody chooses it."""
