"""Firmware campaigns: many stations, stage after stage, until too many fail."""
