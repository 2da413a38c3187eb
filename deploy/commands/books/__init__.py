"""What people read in the books and decide about them: invoices, sessions, balances, replay."""
