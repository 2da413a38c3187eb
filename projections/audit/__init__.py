"""From an invoice line back to the raw frames."""
