"""Decisions published to others: the events' types and schemas, made of what, sent by whom."""
