"""What is settled with a roaming partner for a month: reckoned, proposed, agreed, booked."""
