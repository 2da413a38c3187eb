"""Lines that were set aside: found, kept on record, listed; no line stops those after it."""
