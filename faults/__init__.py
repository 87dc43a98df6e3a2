"""The fault suite: every fault of a matrix injected into the real thing, judged by an oracle."""
