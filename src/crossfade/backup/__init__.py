"""Backup of a data folder at one consistent point while the stack runs, and restore."""
