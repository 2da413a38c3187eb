"""What partners tell us of our drivers: sessions and CDRs, kept, priced again and judged."""
