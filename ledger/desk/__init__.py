"""What people do: declare, publish, approve, choose, validate. All edges call these functions."""
