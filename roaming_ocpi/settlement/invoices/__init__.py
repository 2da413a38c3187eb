"""Invoices between partners, held against CDRs: line by line, and by OCPI's own records."""
