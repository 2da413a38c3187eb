"""What many stations ask of one process: to come back, to be called, to be answered soon."""
