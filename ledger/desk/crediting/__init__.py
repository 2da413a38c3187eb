"""What people give back of invoices, and what payers contest."""
