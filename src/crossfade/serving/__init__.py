"""One answer from both layers."""
