"""Our price held against what others say that a session costs."""
