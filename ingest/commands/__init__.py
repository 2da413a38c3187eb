"""Calls of ours to stations: checked, kept as rows, carried out by whoever has the connection."""
