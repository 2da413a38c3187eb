"""What we ask of partners: one guarded way out, whatever address they gave us."""
