"""What stations are told that their transactions cost: when, in which words, as of which line."""
