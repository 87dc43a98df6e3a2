"""The simulated audience: listeners, songs and the plays that come of them."""
