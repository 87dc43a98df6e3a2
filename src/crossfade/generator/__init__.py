"""The simulated audience: listeners, songs, and the plays they generate."""
