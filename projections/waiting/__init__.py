"""What waits for a person in the books: kinds of it, how much since when, and each as a list."""
