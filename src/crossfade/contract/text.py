"""Unicode normalisation (NFC) and the check for control characters."""

import re
import unicodedata

MAX_TEXT = 512
"""The most characters of a title, an artist and other texts that people read."""

_MAX_TO_NORMALISE = 4 * MAX_TEXT
"""A longer text is too long in NFC as well, which combines at most four code points into one."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def is_plain(text: str) -> bool:
    """Check cheaply whether a text is in NFC and has no control characters."""
    return text.isprintable() and is_normal(text)


def is_normal(text: str) -> bool:
    """Check whether a text is in NFC; if so, every part of it is in NFC as well."""
    return unicodedata.is_normalized("NFC", text)


def normalise(text: str) -> str:
    """Return the NFC form, in which equal texts have equal code points.

    A text that no field could hold is returned unchanged: the time to normalise a long sequence of
    combining marks grows with the square of its length, to 1.7 s for the 64 KiB of a record.
    """
    if len(text) > _MAX_TO_NORMALISE:
        return text
    return unicodedata.normalize("NFC", text)


def remove_controls(text: str) -> str:
    """Return the text without control characters (Unicode's category Cc)."""
    return _CONTROL.sub("", text)


def has_control(text: str) -> bool:
    """Check whether a text holds a control character (Unicode's category Cc)."""
    return _CONTROL.search(text) is not None
