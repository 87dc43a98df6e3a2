"""The streaming queries, and the driver that runs them."""
