"""That both sides have the same CDRs, what is settled for them, and invoices held against them."""
