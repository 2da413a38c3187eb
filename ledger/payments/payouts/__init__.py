"""Payouts: each line of them held against our movements, fees booked, what the bank is to get."""
