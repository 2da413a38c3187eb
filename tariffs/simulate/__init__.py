"""Back-tests: history re-rated with a tariff, old and new side by side."""
