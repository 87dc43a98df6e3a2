"""Backup and restore: a data folder's parts that belong together, copied while the stack runs."""
