"""What is on its way to partners: an outbox for each, and who empties it."""
