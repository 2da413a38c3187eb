"""What people do for a customer: money that came in advance, or is paid back."""
