"""Double entry: accounts, entries that balance or do not exist, and where decisions are kept."""
