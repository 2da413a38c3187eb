"""What of ours partners see: Locations and Tariffs, each partner its own."""
