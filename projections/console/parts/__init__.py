"""Parts that pages of several screens share: how far a person sees, and load curves."""
