"""What the log in Kafka costs, beside the embedded one in the same run."""
