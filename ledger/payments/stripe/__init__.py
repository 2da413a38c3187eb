"""The payment provider Stripe: the one home of its library."""
