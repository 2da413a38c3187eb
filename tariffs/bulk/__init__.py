"""Re-rating in columns of 64-bit integers, equal to the kernel to the minor unit."""
