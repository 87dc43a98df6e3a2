"""Text as the contract takes it: normalised (NFC), without control characters."""

import re
import unicodedata

from crossfade.contract.play import MAX_TEXT

_HOPELESS = 4 * MAX_TEXT
"""A text with more code points is still too long in NFC, which makes at most four of them one."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def is_plain(text: str) -> bool:
    """Tell at little cost that a text needs neither normalising nor a closer look."""
    return text.isprintable() and is_normal(text)


def is_normal(text: str) -> bool:
    """Check whether a text is in NFC; every part of it is then in NFC as well."""
    return unicodedata.is_normalized("NFC", text)


def normalise(text: str) -> str:
    """Return the NFC form, in which equal texts have equal code points.

    A text that is too long for any field even then is given back as it came: a long row of
    combining marks takes time by the square of its length, 1.7 s for the 64 KiB of a record.
    """
    if len(text) > _HOPELESS:
        return text
    return unicodedata.normalize("NFC", text)


def has_control(text: str) -> bool:
    """Check whether a text holds a control character (Unicode's category Cc)."""
    return _CONTROL.search(text) is not None
