"""Payments: what came, what is it for; what nobody knows is matched by a person, or by two."""
