"""What people keep of their own: views of lists."""
