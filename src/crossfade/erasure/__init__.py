"""Erasure: a listener leaves every layer, and the proof of it."""
