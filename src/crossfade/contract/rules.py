"""The rule of each field, read from the Struct, and what a type alone cannot say."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from crossfade.contract.countries import COUNTRIES
from crossfade.contract.play import DEVICES, EVENT_ID, MAX_TEXT, UNKNOWN_DEVICE, Artist, Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.text import has_control, normalise

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_IS_EVENT_ID = re.compile(EVENT_ID.strip("^$")).fullmatch

_MEANINGS: dict[str, Callable[[str], bool]] = {
    "event_id": lambda event_id: _IS_EVENT_ID(event_id) is not None,
    "user_id": lambda user_id: _EMAIL.search(user_id) is None,
    "country": COUNTRIES.__contains__,
}

_NULL, _EMPTY = b"null", b'""'
_REASONS_OF_TEXTS = (Reason.TEXT_INVALID, Reason.COUNTRY_INVALID)
"""Optional fields with these reasons may be empty, which means absent."""


class BrokenRuleError(Exception):
    """Carries a rejection out of the rule that found it; never leaves the contract."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.rejection = Rejection(reason, detail)


class FieldRule(NamedTuple):
    """One field of a play: how it is read, what it must be, and the reason when it is not."""

    name: str
    decode: Callable[[msgspec.Raw], Any]
    default: Any
    reason: Reason
    expected: str
    absent: frozenset[bytes]
    is_text: bool
    is_string: bool

    @property
    def is_required(self) -> bool:
        """Check whether a play must have the field."""
        return self.default is msgspec.NODEFAULT

    def broken(self, reason: Reason | None = None) -> BrokenRuleError:
        """Return the error that names this field and what was expected."""
        return BrokenRuleError(reason or self.reason, f"{self.name} must be {self.expected}.")

    def judge(self, raw: msgspec.Raw | None) -> Any:
        """Read the field from its JSON; its default when it is absent.

        Raises:
            BrokenRuleError: it is missing, of another type, or outside its limits.
        """
        if raw is None or bytes(raw) in self.absent:
            if self.is_required:
                raise self.broken(Reason.MISSING_FIELD)
            return self.default
        try:
            field = self.decode(raw)
        except msgspec.DecodeError as error:
            raise self.broken(_reason_of(error)) from None
        if self.is_string and self.name != "device" and has_control(field):
            raise self.broken()
        if self.is_text:
            return self._judge_text(field)
        return self._judge_meaning(field)

    def _judge_text(self, text: str) -> str:
        normal = normalise(text)
        if not 1 <= len(normal) <= MAX_TEXT:
            raise self.broken()
        return normal

    def _judge_meaning(self, field: Any) -> Any:
        """Apply what a type cannot say."""
        if self.name == "device":
            return field if field in DEVICES else UNKNOWN_DEVICE
        if self.name == "artists":
            return tuple(self._judge_artist(artist) for artist in field)
        obeys = _MEANINGS.get(self.name)
        if obeys is not None and not obeys(field):
            raise self.broken()
        return field

    def _judge_artist(self, artist: Artist) -> Artist:
        if has_control(artist.name) or has_control(artist.id or ""):
            raise self.broken(Reason.TEXT_INVALID)
        name = normalise(artist.name)
        if len(name) > MAX_TEXT:
            raise self.broken(Reason.TEXT_INVALID)
        return Artist(name=name, id=artist.id)


def _reason_of(error: msgspec.DecodeError) -> Reason | None:
    """Tell a wrong type from a value outside the field's own limits (None)."""
    message = str(error)
    if message.startswith("Object missing"):
        return Reason.MISSING_FIELD
    if message.startswith("Expected") and ", got `" in message:
        return Reason.TYPE_MISMATCH
    return None


def _read_rules() -> Iterator[FieldRule]:
    hints = get_type_hints(Play, include_extras=True)
    for field in msgspec.structs.fields(Play):
        metas = list(_metas(hints[field.name]))
        extra: dict[str, Any] = {}
        for meta in reversed(metas):
            extra |= meta.extra or {}
        is_text = extra.get("is_text", False)
        reason = extra.get("reason", Reason.VALUE_INVALID)
        may_be_empty = not field.required and reason in _REASONS_OF_TEXTS
        yield FieldRule(
            name=field.name,
            decode=msgspec.json.Decoder(str if is_text else field.type).decode,
            default=field.default,
            reason=reason,
            expected=metas[0].description or "",
            absent=frozenset([_NULL, _EMPTY] if may_be_empty else [_NULL]),
            is_text=is_text,
            is_string=any(part.get("type") == "string" for part in _alternatives(field.type)),
        )


def _alternatives(kind: Any) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(kind)
    return [schema, *schema.get("anyOf", [])]


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    """Return a type's notes, the outermost first, without those of the Structs within."""
    if get_origin(hint) is Annotated:
        yield from reversed(hint.__metadata__)
        yield from _metas(hint.__origin__)
    elif not isinstance(hint, type):
        for inner in get_args(hint):
            yield from _metas(inner)


RULES = tuple(_read_rules())
"""In the contract's order, in which a record's fields are judged."""
