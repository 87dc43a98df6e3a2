"""What Crossfade costs, measured: `python -m benchmarks`."""
