"""Invoices and credit notes: find one, prove it, give some of it back; the journal as files."""
