"""The gate before a document is issued: what is wrong with one, and how that is told."""
