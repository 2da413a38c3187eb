"""The operations on sessions, prices, documents, money, books and master data, over HTTP.

Each reads a projection or calls the use case that the command line calls; each answers only what
lies within the reach of whoever asks.
"""
