"""Closing the books: months, their checklists, and the number series of documents."""
