"""What an operator runs: the system, its processes, the demo, and the topics of Kafka."""
