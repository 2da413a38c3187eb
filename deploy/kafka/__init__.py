"""Apache Kafka on one machine, for tests and the demo: its jars, and brokers over a folder.

In production Kafka is somebody's cluster; see docs/operations.md. Here nothing is set that makes a
log safe: `wattledger kafka init` does that.
"""
