"""`wattledger payouts`: what a provider paid out, held against the books; disputes."""
