"""What the worker reads back from its tables and writes to them."""
