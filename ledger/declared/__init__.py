"""Declarations: master data with two times, its store, its rules, its snapshots."""
