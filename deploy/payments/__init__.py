"""Payments as a part: what the provider tells over HTTP, and the process that asks it."""
