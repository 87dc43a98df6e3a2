"""The batch layer: charts and geography that are right."""
