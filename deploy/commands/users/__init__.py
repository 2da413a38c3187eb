"""Commands about people who work here, and who acts when a command changes something."""
