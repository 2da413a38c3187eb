"""Commands about customers: prepaid balances."""
