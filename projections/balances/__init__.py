"""Where every Wh and every cent went."""
