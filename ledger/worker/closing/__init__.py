"""What closes a month in a partition: marks in the log, and what is accrued at them."""
