"""Taking what a provider answered: each thing once, and nothing older after what is newer."""
