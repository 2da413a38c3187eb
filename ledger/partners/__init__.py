"""Roaming partners: the tokens they told us of, and what they say as lines of the log."""
