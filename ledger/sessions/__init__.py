"""The pure fold: facts of a station in, charging sessions out."""
