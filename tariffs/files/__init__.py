"""Tariffs and sessions as YAML: read with every problem at its spot, and written."""
