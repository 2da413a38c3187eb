"""Tariffs that need a second pair of eyes: proposed, approved, retired."""
