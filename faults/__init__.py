"""Inject the faults that such systems meet into a real stack, and check the results."""
