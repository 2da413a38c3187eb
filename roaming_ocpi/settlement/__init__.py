"""What we and a partner owe each other: completeness, statements, their invoices line by line."""
