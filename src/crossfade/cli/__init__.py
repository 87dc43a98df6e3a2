"""The commands, in the order in which a play travels."""
