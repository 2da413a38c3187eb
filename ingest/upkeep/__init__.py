"""What one server does for all stations: asks for what is missing, clears old calls."""
