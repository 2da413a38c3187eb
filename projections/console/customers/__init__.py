"""Customers: find one, and see all that happened to it on one time line."""
