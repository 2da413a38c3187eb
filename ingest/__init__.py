"""Charging stations in: WebSocket server, codec, event log, translators and the worker."""
