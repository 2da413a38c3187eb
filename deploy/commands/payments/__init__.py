"""`wattledger payments`: money that came and went, what is open, what people decide about it."""
