"""Documents as people and their machines read them: pages, EN 16931, languages, delivery."""
