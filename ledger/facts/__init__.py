"""What stations said, in no protocol: facts, flags, tokens, and how a station tells time."""
