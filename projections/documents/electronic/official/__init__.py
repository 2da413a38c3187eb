"""The official schemas and rules of EN 16931, asked in process."""
