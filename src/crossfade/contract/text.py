"""Text as the contract takes it: normalised (NFC), without control characters."""

import re
import unicodedata

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def is_plain(text: str) -> bool:
    """Tell at little cost that a text needs neither normalising nor a closer look."""
    return text.isprintable() and is_normal(text)


def is_normal(text: str) -> bool:
    """Tell whether a text is in NFC; every part of it is then in NFC as well."""
    return unicodedata.is_normalized("NFC", text)


def normalise(text: str) -> str:
    """Give the NFC form, in which equal texts have equal code points."""
    return unicodedata.normalize("NFC", text)


def has_control(text: str) -> bool:
    """Tell whether a text holds a control character (Unicode's category Cc)."""
    return _CONTROL.search(text) is not None
