"""Looking at money: movements, one of them whole, what is open."""
