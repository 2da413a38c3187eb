"""Reminders of open invoices: who is reminded, when, for the how manieth time."""
