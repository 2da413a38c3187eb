"""Which tariff holds where, as of a moment: its versions, and what assigns it."""
