"""What OCPI cannot say: typed adjustments in the order of the file, each a line with a reason."""
