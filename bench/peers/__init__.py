"""What the measures are held against, and the load and frames that both sides get."""
