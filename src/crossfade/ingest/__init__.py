"""Real plays in: files of other services, line by line, into Kafka."""
