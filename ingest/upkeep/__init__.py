"""What one server does for all stations: asks for what is missing, campaigns, clears old rows."""
