"""The work list: what in the books waits for a person, each kind with its list."""
