"""What holds of every operation: amounts, reach, requests done once, tags of what is read."""
