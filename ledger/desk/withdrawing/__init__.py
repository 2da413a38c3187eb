"""Proposals that somebody took back before a second person agreed: they leave their record."""
