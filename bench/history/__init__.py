"""What lies behind: whether it makes the next line dearer, and what working through it costs."""
