"""What rated sessions would cost by all that is known now: before anybody has them corrected."""
