"""The cure for a word that nobody knows: the right one most like it."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 64


def ask_nearest(word: str, known: Iterable[str]) -> str:
    """Ask whether the known word nearest to this one was meant; empty where none is near."""
    near = get_close_matches(word[:_LONGEST].casefold(), tuple(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def name_nearest(word: str, known: Iterable[str], kind: str) -> str:
    """Ask whether the nearest known word was meant; where none is near, name all of them."""
    words = tuple(known)
    return ask_nearest(word, words) or f"Known {kind}: {', '.join(words)}."
