"""Documents as HTML for the screen, each alone in one file."""
