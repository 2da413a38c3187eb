"""The console wired: what its pages have at hand, and the routes of all its screens."""
