"""Sessions: find one, see all that is known of it, and decide about it; and each Wh of a day."""
