"""The worker as a member of a group of processes that share the partitions of a log in Kafka.

Faust says which partitions are ours and hands over their records; what is done with them is the
worker's, in one transaction with the position that it keeps itself. This room is the home of
`faust`.
"""
