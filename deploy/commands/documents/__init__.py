"""Commands about documents: as their readers get them, and what became of them."""
