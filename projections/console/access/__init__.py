"""Coming in and going out, one's own account, and who may what: people, tokens of both kinds."""
