"""Who works here: accounts of people, what their roles let them do, and how they came in."""
