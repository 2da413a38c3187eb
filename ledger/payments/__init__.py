"""Money in and out: movements with their postings, what a provider is asked for and tells."""
