"""What the edge of the stations brings to the HTTP interface."""
