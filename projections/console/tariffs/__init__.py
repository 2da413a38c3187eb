"""Tariffs: what holds where; one of them, changed, proposed, and approved by somebody else."""
