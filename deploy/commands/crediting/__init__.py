"""What is given back of an invoice, and what its payer contests."""
