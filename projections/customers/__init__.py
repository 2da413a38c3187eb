"""Customers: who they are, what they owe and are owed, and all that happened on one time line."""
