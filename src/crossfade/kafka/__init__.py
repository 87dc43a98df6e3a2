"""Kafka: where it is, its topics, its clients, and the records of `plays-by-window`."""
