"""Documents on their way to their readers: the durable outbox, and the ways that lead there."""
