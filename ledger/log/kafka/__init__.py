"""The event log in Apache Kafka: one topic, one message a record, its offset the position.

Messages are sent by an idempotent producer and in no transaction: a transaction's markers take
offsets too, and positions have no gaps. Compaction and retention would make gaps as well: `topics`
refuses both. This room is the home of `confluent_kafka`.
"""
