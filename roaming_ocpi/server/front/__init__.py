"""What stands before the modules: who asks, how much he may, his request and its answer."""
