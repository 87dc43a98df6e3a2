"""Benchmarks of Crossfade's throughput, latency, memory and CPU: `python -m benchmarks`."""
