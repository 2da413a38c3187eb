"""What a tariff says and what a session used, as values."""
