"""Month close: may I close, who did what, and what came afterwards."""
