"""The console: pages for people who work here. The shell is here, each family of screens a room."""
