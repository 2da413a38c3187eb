"""Which of the sessions of one reference a fact is of, where a station uses it again."""
