"""One station at one record: what takes part, what it comes to, what was decided before."""
