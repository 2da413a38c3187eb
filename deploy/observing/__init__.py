"""What each process tells of itself over HTTP: whether it lives, whether it is ready, its metrics.

`watch` is what a part has of it, `endpoint` answers requests beside the part's work, `metrics` is
the table of names, and a module a part says what that part has to tell.
"""
