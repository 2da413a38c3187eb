"""Benchmarks: each module yields rows with a peer measured in the same run."""
