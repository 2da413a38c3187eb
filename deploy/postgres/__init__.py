"""The embedded PostgreSQL and the migrations."""
