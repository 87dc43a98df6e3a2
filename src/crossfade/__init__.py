"""Crossfade: a provable Lambda architecture for music plays."""

__version__ = "0.1.0"
