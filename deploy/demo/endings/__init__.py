"""What is left of a demo when it is over: its report, and the console over its month."""
