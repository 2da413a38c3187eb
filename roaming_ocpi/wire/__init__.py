"""What goes over the wire: envelope, statuses, and the three forms of one model."""
