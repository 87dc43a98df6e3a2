"""Search for bytes on which the decoder's verdict breaks a law, with coverage-guided fuzzing.

scripts/fuzz runs this with a working folder and libFuzzer's options.
"""

import random
import sys
from pathlib import Path

import atheris
import msgspec

with atheris.instrument_imports(include=["crossfade.contract", "crossfade.ingest", "json"]):
    from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, read_examples
    from crossfade.contract.examples.generated import generate_examples
    from crossfade.contract.rules import RULES
    from fuzz.verdict_laws import (
        ORDINARY,
        ORDINARY_ASCII,
        check_lines,
        check_record,
        check_together,
    )

LONGEST = 8 * 1024
"""Maximum bytes of an input; the generated examples have the long records."""

_BOUNDS = ("-timeout=60", "-rss_limit_mb=1024", "-reduce_inputs=0")
"""Limits of one input in seconds and MiB, above which it is a finding; keep large inputs too."""

_VALUES = tuple(
    text.encode()
    for text in (
        *('"ZZ"', '"XX"', '""', '"a@b.c"', '"track"', '"mobile"', '"\x7f"', '"\x85"', '"o\u0301"'),
        *('"\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"', '[{"name":"a"}]', '{"":{"":{"":{"":1}}}}'),
        *("null", "true", "NaN", "-0", "3.0", "1e400", "9" * 40, "1767225600000", "[[[[[[[[["),
    )
)
"""Words that often break decoders: libFuzzer's dictionary, in addition to the fields' names."""

_open_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NAMES = [*(rule.name for rule in RULES), "x"]


def check(data: bytes) -> None:
    """Check the bytes against every law: as one record, as several records, and as a file."""
    check_record(data)
    check_together([ORDINARY, data, ORDINARY], [EXAMPLE_LOG_TIME_MS] * 3)
    lines = data.split(b"\n")
    check_together(lines, [EXAMPLE_LOG_TIME_MS] * len(lines))
    check_lines(data)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Mutate any bytes, or mostly one field of the input or of a valid play."""
    draw = random.Random(seed)
    if draw.random() < 0.2:
        return atheris.Mutate(data, longest)
    fields = read_fields(data)
    if draw.random() < 0.7:
        kept = draw.sample(sorted(fields), min(len(fields), 2))
        whole = read_fields(draw.choice([ORDINARY, ORDINARY_ASCII]))
        fields = whole | {name: fields[name] for name in kept}
    name = draw.choice(_NAMES)
    value = fields.get(name) or draw.choice(_VALUES)
    if draw.random() < 0.8:
        fields.pop(name, None)
    if draw.random() < 0.8:
        value = atheris.Mutate(value, len(value) + 32)
    pairs = [*fields.items(), (name, value)]
    draw.shuffle(pairs)
    made = b",".join(b'"%s":%s' % (key.encode(), raw) for key, raw in pairs)
    return b"{" + made[: longest - 2] + b"}"


def read_fields(data: bytes) -> dict[str, bytes]:
    """Return the fields of a JSON object with their JSON text; empty if it is not an object."""
    try:
        return {name: bytes(raw) for name, raw in _open_object(data).items()}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def write_seeds(folder: Path) -> Path:
    """Write the contract's examples as the initial corpus, and return its folder."""
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate([*read_examples(), *generate_examples()]):
        if example.value is not None and len(example.value) <= LONGEST:
            (seeds / f"{number:04}").write_bytes(example.value)
    (seeds / "lines").write_bytes(b"\n".join([ORDINARY] * 3))
    return seeds


def write_words(folder: Path) -> Path:
    """Write libFuzzer's dictionary, and return its path."""
    words = [*(b'"%s":' % name.encode() for name in _NAMES), *_VALUES]
    lines = ('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in word)) for word in words)
    path = folder / "words.dict"
    path.write_text("".join(lines), "ascii")
    return path


def main() -> None:
    """Fuzz until libFuzzer's options end it, or a law is broken."""
    folder = Path(sys.argv[1])
    corpus, findings = folder / "corpus", folder / "findings"
    for made in (corpus, findings):
        made.mkdir(parents=True, exist_ok=True)
    options = [
        f"-artifact_prefix={findings}/",
        f"-dict={write_words(folder)}",
        f"-max_len={LONGEST}",
        *_BOUNDS,
        *sys.argv[2:],
        str(corpus),
        str(write_seeds(folder)),
    ]
    atheris.Setup([sys.argv[0], *options], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
