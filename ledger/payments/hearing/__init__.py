"""What a provider tells: events, each kept once, and asking for those that got lost."""
