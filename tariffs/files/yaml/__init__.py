"""YAML whose nodes know line and column; fields that are checked; text that reads back."""
