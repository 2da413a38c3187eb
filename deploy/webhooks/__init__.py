"""Webhooks over HTTP, and the thread that tells them where the interface is served."""
