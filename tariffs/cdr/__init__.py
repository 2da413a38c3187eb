"""A partner's CDR: priced period by period as sent, and compared with what it states."""
