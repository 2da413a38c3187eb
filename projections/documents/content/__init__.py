"""What stands on a page, in words and in order: pages and screen only set it."""
