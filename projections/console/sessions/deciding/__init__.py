"""Deciding about a session: the pages, and what is typed of a stop that a person attests."""
