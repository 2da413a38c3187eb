"""Subject ids in place of who somebody is, and erasing who that was."""
