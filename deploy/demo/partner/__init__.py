"""The demo's roaming partner: a second instance, with a database of its own, reached over HTTP."""
