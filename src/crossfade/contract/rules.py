"""The rule of each field, derived from the Struct and its metadata."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.text import MAX_TEXT, has_control, normalise, remove_controls

_NULL, _EMPTY = b"null", b'""'
_STRICT_REASONS = (Reason.MISSING_FIELD, Reason.TYPE_MISMATCH)
"""An optional field is never dropped for one of these."""


class BrokenRuleError(Exception):
    """Carries a rejection from a rule to the decoder, which returns it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.rejection = Rejection(reason, detail)


class FieldRule(NamedTuple):
    """How to decode and check one field, and the reason for rejection."""

    name: str
    decode: Callable[[msgspec.Raw], Any]
    default: Any
    reason: Reason
    expected: str
    absent: frozenset[bytes]
    is_droppable: bool
    is_text: bool
    is_string: bool
    removes_controls: bool
    check: Callable[[Any], object] | None
    fallback: str | None
    item_rules: "tuple[FieldRule, ...]"

    @property
    def is_required(self) -> bool:
        """Check whether the field is required."""
        return self.default is msgspec.NODEFAULT

    def build_error(self, reason: Reason | None = None) -> BrokenRuleError:
        """Build the error with this field's name and what was expected."""
        return BrokenRuleError(reason or self.reason, f"{self.name} must be {self.expected}.")

    @property
    def outcome(self) -> str:
        """Return what happens if the content breaks the rule: a reason, or what it becomes."""
        if self.fallback is not None:
            return f"becomes `{self.fallback}`"
        if self.is_droppable:
            return "dropped" if self.default is None else f"becomes `{self.default}`"
        return f"`{self.reason}`"

    def judge(self, raw: msgspec.Raw | None) -> tuple[Any, bool]:
        """Return the field's value from its JSON, or its default, and whether it was dropped.

        Raises:
            BrokenRuleError: it is required but absent, has another type, or is strict and outside
                its limits.
        """
        try:
            return self._read(raw)
        except BrokenRuleError as broken:
            if not self.is_droppable or broken.rejection.reason in _STRICT_REASONS:
                raise
            return self.default, True

    def _read(self, raw: msgspec.Raw | None) -> tuple[Any, bool]:
        """Return the value and whether a fallback replaced it."""
        if raw is None or bytes(raw) in self.absent:
            if self.is_required:
                raise self.build_error(Reason.MISSING_FIELD)
            return self.default, False
        try:
            value = self.decode(raw)
        except msgspec.DecodeError as error:
            raise self.build_error(_reason_of(error)) from None
        checked = self._check_value(value)
        return checked, self.fallback is not None and checked != value

    def _check_value(self, value: Any) -> Any:
        """Apply the rules that the type does not express, and return the value to keep."""
        if self.fallback is not None:
            return value if self.check is None or self.check(value) else self.fallback
        if self.removes_controls:
            value = remove_controls(value)
        elif self.is_string and has_control(value):
            raise self.build_error()
        if self.is_text:
            value = normalise(value)
            if not 1 <= len(value) <= MAX_TEXT:
                raise self.build_error()
        if self.check is not None and not self.check(value):
            raise self.build_error()
        return tuple(map(self._check_item, value)) if self.item_rules else value

    def _check_item(self, item: msgspec.Struct) -> msgspec.Struct:
        values = [(rule, getattr(item, rule.name)) for rule in self.item_rules]
        try:
            checked = {
                rule.name: rule._check_value(value) for rule, value in values if value is not None
            }
        except BrokenRuleError as broken:
            raise self.build_error(broken.rejection.reason) from None
        return msgspec.structs.replace(item, **checked)


def _reason_of(error: msgspec.DecodeError) -> Reason | None:
    """Return the reason for a missing part or a wrong type; None for a value out of range."""
    message = str(error)
    if message.startswith("Object missing"):
        return Reason.MISSING_FIELD
    if message.startswith("Expected") and ", got `" in message:
        return Reason.TYPE_MISMATCH
    return None


def _read_rules(struct: type[msgspec.Struct]) -> Iterator[FieldRule]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        metas = list(_metas(hints[field.name]))
        extra: dict[str, Any] = {}
        for meta in reversed(metas):
            extra |= meta.extra or {}
        is_text = extra.get("is_text", False)
        reason = extra.get("reason", Reason.VALUE_INVALID)
        may_be_empty = extra.get("may_be_empty", reason is Reason.TEXT_INVALID)
        may_be_empty = may_be_empty and not field.required
        yield FieldRule(
            name=field.name,
            decode=_tidy_decoder(field.type, extra["tidy"])
            if "tidy" in extra
            else msgspec.json.Decoder(str if is_text else field.type).decode,
            default=field.default,
            reason=reason,
            expected=metas[0].description or "",
            absent=frozenset([_NULL, _EMPTY] if may_be_empty else [_NULL]),
            is_droppable=not (field.required or extra.get("is_strict", False)),
            is_text=is_text,
            is_string=any(part.get("type") == "string" for part in _alternatives(field.type)),
            removes_controls=extra.get("removes_controls", False),
            check=extra.get("check"),
            fallback=extra.get("fallback"),
            item_rules=tuple(_read_rules(extra["item"])) if "item" in extra else (),
        )


def _tidy_decoder(kind: Any, tidy: Callable[[str], str]) -> Callable[[msgspec.Raw], Any]:
    """Return a decoder that tidies a text before it checks the type's limits."""
    decode = msgspec.json.Decoder(str).decode

    def decode_tidy(raw: msgspec.Raw) -> Any:
        text = decode(raw)
        try:
            return msgspec.convert(tidy(text), kind)
        except msgspec.ValidationError as error:
            raise msgspec.DecodeError(str(error)) from None

    return decode_tidy


def _alternatives(kind: Any) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(kind)
    return [schema, *schema.get("anyOf", [])]


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    """Yield the metadata of a type, the outermost first, without that of nested Structs."""
    if get_origin(hint) is Annotated:
        yield from reversed(hint.__metadata__)
        yield from _metas(hint.__origin__)
    elif not isinstance(hint, type):
        for inner in get_args(hint):
            yield from _metas(inner)


RULES = tuple(_read_rules(Play))
"""In the order of the Struct, in which the fields of a record are judged."""
