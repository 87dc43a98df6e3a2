"""One person's real listening history, for the demo and for tests; README.md has its origin."""

from pathlib import Path


def sample_year_path() -> Path:
    """Return the path of the history, in Spotify's short export format, compressed with xz."""
    return Path(__file__).with_name("streaming_history.json.xz")
