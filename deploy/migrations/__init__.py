"""Numbered SQL, applied in order by deploy.migrate."""
