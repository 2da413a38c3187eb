"""Who may talk to whom: the handshake, its tokens, and what became of it."""
