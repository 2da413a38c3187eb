"""Completeness with a partner: lists of CDRs that both can read, held against each other."""
