"""The laws of verdicts, checked on generated hostile records."""

import json
import sys
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.contract.decode import decode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, Example
from crossfade.contract.examples.generated import generate_examples
from crossfade.contract.judge import MAX_DEPTH, judge_record
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.text import MAX_TEXT, normalise
from fuzz.hostile_records import HOSTILE_RECORDS
from fuzz.verdict_laws import check_lines, check_record


def nest(depth: int, value: object) -> object:
    return nest(depth - 1, [value]) if depth else value


NESTED = st.recursive(
    st.text('a"\\[{]}', max_size=6),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.text('"\\[}', max_size=3), inner, min_size=1, max_size=2)
        | st.builds(nest, st.integers(5, 9), inner)
    ),
    max_leaves=8,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@settings(max_examples=1_000)
@given(HOSTILE_RECORDS)
def test_a_hostile_record_gets_one_lasting_verdict_of_the_closed_list(record: bytes) -> None:
    check_record(record)


@settings(max_examples=250)
@given(st.lists(HOSTILE_RECORDS, min_size=1, max_size=3))
def test_records_imported_from_a_hostile_file_are_accepted_from_kafka(records: list[bytes]) -> None:
    check_lines(b"\n".join(records))


@settings(max_examples=250)
@given(NESTED)
def test_depth_is_that_of_the_json(value: object) -> None:
    verdict = judge_record(json.dumps(value).encode(), EXAMPLE_LOG_TIME_MS)
    is_too_deep = isinstance(verdict, Rejection) and verdict.reason is Reason.TOO_DEEP
    assert is_too_deep is (depth_of(value) > MAX_DEPTH)


@pytest.mark.parametrize("example", tuple(generate_examples()), ids=lambda example: example.name)
def test_a_verdict_is_fast_for_any_size(example: Example) -> None:
    def measure() -> float:
        began = time.thread_time()
        decode_play(example.value, EXAMPLE_LOG_TIME_MS)
        return time.thread_time() - began

    assert min(measure() for _ in range(3)) < 0.1


def test_only_a_text_too_long_in_every_form_is_not_normalised() -> None:
    """Normalising takes quadratic time in a run of combining marks, so the input is limited.

    NFC composes at most four characters into one.
    """
    made_one = (len(unicodedata.normalize("NFD", chr(n))) for n in range(sys.maxunicode + 1))
    assert max(made_one) * MAX_TEXT == 2_048
    fits, too_long = ("\u0301" * n + "\u0316" for n in (2_047, 2_048))
    assert normalise(fits) == "\u0316" + "\u0301" * 2_047
    assert normalise(too_long) == too_long
