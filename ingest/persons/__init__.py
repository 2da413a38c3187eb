"""Who stands in a frame, and cutting that out before it reaches the log."""
