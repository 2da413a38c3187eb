"""The whole log worked through again, and every consequence compared."""
