"""Takes records of the log and writes what follows from them, exactly once."""
