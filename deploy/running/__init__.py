"""The processes of a running system, who starts them and who keeps them running."""
