"""A real year of one person's listening, for the demo and for tests; its origin is in README.md."""

from pathlib import Path


def sample_year_path() -> Path:
    """Return the file of the year, in Spotify's short export format, compressed with xz."""
    return Path(__file__).with_name("streaming_history.json.xz")
