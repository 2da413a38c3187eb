"""Collecting invoices from customers who gave leave for it, and giving back what was too much."""
