"""Numbered SQL, applied in order by deploy.postgres.migrate."""
