"""Tokens of partners and ours: lists, pushes, and asking in real time whether one may charge.

Which of our tokens partners get: those of kind OWN that some customer pays for, that charge at all
of our sites and are no master pass (`own_tokens`). One that is blocked or has expired is told as
not valid; whose bearer was erased, as nothing. They go to partners that have stations, and to hubs.
"""
