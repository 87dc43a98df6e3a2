"""The troubleshooting page quotes the messages that Crossfade really prints."""

import re
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "troubleshooting.md"
_NAMES = re.compile(r"\b(archive|batch|ended|gold/run|song-plays|speed)\b")
"""Values that stand for a variable part of a message, beside `…`."""
_NOT_OURS = {"No space left on device", "crossfade reconcile", "DIR/suppression"}


def list_quotes() -> list[str]:
    cells = re.findall(r"^\| ([^|]+) \|", _PAGE.read_text("utf-8"), re.MULTILINE)
    quotes = [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell)]
    return [quote for quote in dict.fromkeys(quotes) if quote not in _NOT_OURS]


@cache
def read_source() -> str:
    """Return the package's source with adjacent string literals joined."""
    files = (_ROOT / "src").rglob("*.py")
    source = "\n".join(path.read_text("utf-8") for path in files)
    return re.sub(r'[\'"]\s*\n\s*f?[\'"]', "", source)


def test_the_page_quotes_many_messages() -> None:
    assert len(list_quotes()) > 30


@pytest.mark.parametrize("quote", list_quotes())
def test_a_quoted_message_is_in_the_source(quote: str) -> None:
    parts = [part.strip() for part in re.split("…", _NAMES.sub("…", quote))]
    for part in parts:
        if len(part) > 3:
            assert part in read_source(), part
