"""The speed layer: what is trending now."""
