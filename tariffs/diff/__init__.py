"""What differs between two tariffs, in words and as hours of a week."""
