"""What people do about settlements with roaming partners."""
