"""`wattledger visits`: charging without a contract, paid by card."""
