"""Who may charge: lists of tokens both ways, and asking in real time."""
