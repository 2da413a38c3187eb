"""Lists as files: what every screen hands out of what it has filtered."""
