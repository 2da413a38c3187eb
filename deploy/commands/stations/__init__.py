"""Commands about charging stations."""
