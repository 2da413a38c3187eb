"""What could not be done, in the reader's language: texts read back into their messages."""
