"""Random records that are almost plays: JSON with the cases that break decoders."""

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from crossfade.contract.rules import RULES, FieldRule
from fuzz.verdict_laws import ORDINARY, ORDINARY_ASCII

TEXT = (
    *(b"a", b"01JGE8Y4", b"ZZ", b"@", b"x@y.z", b" ", b"[{", b"]}", b'\\"', b"\\\\", b"\\/"),
    *(
        text.encode()
        for text in ("ö", "o\u0301", "\u0344", "\u1fa7", "\u202e", "🎵", "\x7f", "\x85")
    ),
    *(b"\\ud83c\\udfb5", b"\\u0041", b"\\u0000", b"\\u009f", b"a" * 300, b"\\u0301\\u0316" * 90),
)
NO_TEXT = (
    *(b"\\ud800", b"\\udc00\\ud800", b"\\x", b"\\", b"\x00", b"\n"),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f"),
)
NUMBERS = (
    *(b"0", b"-0", b"1", b"-1", b"30000", b"86400001", b"1767225600", b"1767225600000"),
    *(b"9223372036854775807", b"18446744073709551616", b"9" * 40, b"9" * 4300, b"-" + b"9" * 5000),
    *(b"3.0", b"1e3", b"1e400", b"-1e-400"),
)
NO_NUMBERS = (b"007", b"+1", b".5", b"1.", b"0x10", b"NaN", b"-Infinity", b"True", b"'a'")
WORDS = (
    *(b"null", b"true", b"false", b'""', b'"ZZ"', b'"SE"', b'"mobile"', b'"toaster"', b'"track"'),
    *(b'"free"', b'"ms"', b'[{"name":"a"}]', b'[{"name":"o\xcc\x81","id":null}]', b"[null]"),
)
ODD = (b"\x0b", b"\xc2\xa0", b"\xef\xbb\xbf", b"\x00", b"}", b"{", b"]", b'"', b",", b"\\", b"\n")
"""Characters that are not white space in JSON, or that end something too early."""

Field = tuple[bytes, bytes]

_ordinary, _ascii = (
    [
        (b'"%s"' % name.encode(), bytes(raw))
        for name, raw in msgspec.json.decode(record, type=dict[str, msgspec.Raw]).items()
    ]
    for record in (ORDINARY, ORDINARY_ASCII)
)


def _name(rule: FieldRule) -> bytes:
    return b'"%s"' % rule.name.encode()


def _write(fields: list[Field], space: bytes = b"") -> bytes:
    written = (space.join([b"", name, b":", value, b""]) for name, value in fields)
    return b"{" + b",".join(written) + b"}"


def _write_play(
    play: list[Field], fields: list[Field], lacks: int | None, at: int, space: bytes
) -> bytes:
    """Write a play with other fields inserted, some with a duplicate name."""
    kept = [field for number, field in enumerate(play) if number != lacks]
    return space + _write([*kept[:at], *fields, *kept[at:]], space) + space


def _damage(record: bytes, at: int, cut: int, odd: bytes) -> bytes:
    return record[:at] + odd + record[at + cut :]


def _plays(pieces: tuple[bytes, ...], leaves: tuple[bytes, ...]) -> SearchStrategy[bytes]:
    """Draw plays with texts made of the given pieces, and other values from the given leaves."""
    texts = st.lists(st.sampled_from(pieces), max_size=4).map(
        lambda parts: b'"' + b"".join(parts) + b'"'
    )
    plain = texts | st.sampled_from(leaves)
    nests = st.builds(
        lambda depth, ends, leaf: ends[0] * depth + leaf + ends[1] * depth,
        st.integers(1, 12),
        st.sampled_from([(b"[", b"]"), (b'{"":', b"}")]),
        plain,
    )
    lists = st.lists(plain, max_size=3).map(lambda values: b"[" + b",".join(values) + b"]")
    objects = st.lists(st.tuples(texts, plain | lists), max_size=3).map(_write)
    values = st.one_of(plain, lists, objects, nests)
    fields = st.one_of(
        st.tuples(st.sampled_from([_name(rule) for rule in RULES if rule.is_string]), texts),
        st.tuples(st.sampled_from([_name(rule) for rule in RULES]), values),
        st.tuples(texts, values),
    )
    return st.builds(
        _write_play,
        st.sampled_from([_ordinary, _ascii]),
        st.lists(fields, min_size=1, max_size=3),
        st.sampled_from([*[None] * 30, *range(len(_ordinary))]),
        st.integers(0, len(_ordinary)),
        st.sampled_from([b"", b" ", b"\r\n\t"]),
    )


_json = _plays(TEXT, NUMBERS + WORDS)
HOSTILE_RECORDS = st.one_of(
    _json,
    _json,
    _plays(TEXT + NO_TEXT, NUMBERS + NO_NUMBERS),
    st.builds(_damage, _json, st.integers(0, 250), st.integers(0, 30), st.sampled_from(ODD)),
)
"""Half of them are JSON; the others have invalid texts or numbers, or odd bytes somewhere."""
