"""The examples that the contract publishes: each gets the verdict that its folder names."""

import jsonschema
import msgspec
import pytest

from crossfade.contract.decode import Rejection, decode_play, encode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, Example, read_examples
from crossfade.contract.examples.generated import generate_examples
from crossfade.contract.judge import judge_record
from crossfade.contract.play import Play
from crossfade.contract.reasons import MEANINGS, Reason
from crossfade.contract.schema import SCHEMA_PATH, build_schema, write_schema

EXAMPLES = (*read_examples(), *generate_examples())
ACCEPTED = [example for example in EXAMPLES if example.reason is None]
REJECTED = [example for example in EXAMPLES if example.reason is not None]
NOT_OF_BYTES = {Reason.LOG_TIME_UNKNOWN}
"""Reasons without an example, because they do not depend on a record's bytes."""
SEEN_BY_SCHEMA = {Reason.MISSING_FIELD, Reason.TYPE_MISMATCH, Reason.EVENT_TIME_INVALID}
WHOLE_FLOATS = {"type_mismatch/E25_ms_played_exponent", "type_mismatch/E25_ms_played_point_zero"}
"""JSON Schema takes 3.0 and 1e3 for integers; the decoder does not."""

VISIBLE = [
    example
    for example in REJECTED
    if example.reason in SEEN_BY_SCHEMA
    and example.name not in WHOLE_FLOATS
    and not example.name.startswith("generated/")
]


def names(examples: list[Example]) -> list[str]:
    return [example.name for example in examples]


@pytest.mark.parametrize("example", ACCEPTED, ids=names(ACCEPTED))
def test_an_accepted_example_is_a_play_and_lacks_only_the_field_of_its_folder(
    example: Example,
) -> None:
    play = decode_play(example.value, EXAMPLE_LOG_TIME_MS)
    assert isinstance(play, Play)
    assert play.dropped == (() if example.dropped is None else (example.dropped,))


REDUCED = [example for example in ACCEPTED if example.dropped is not None]


@pytest.mark.parametrize("example", REDUCED, ids=names(REDUCED))
def test_a_reduced_play_is_that_of_the_record_without_the_field(example: Example) -> None:
    assert example.value is not None
    fields = msgspec.json.decode(example.value)
    dropped = fields.pop(example.dropped)
    if example.dropped == "device":
        fields["device"] = "other"
    play, without = (
        decode_play(value, EXAMPLE_LOG_TIME_MS)
        for value in (example.value, msgspec.json.encode(fields))
    )
    assert play == without
    assert without == play
    assert hash(play) == hash(without)
    assert dropped is not None


@pytest.mark.parametrize("example", REJECTED, ids=names(REJECTED))
def test_a_rejected_example_is_rejected_for_its_folders_reason(example: Example) -> None:
    verdict = decode_play(example.value, EXAMPLE_LOG_TIME_MS)
    assert isinstance(verdict, Rejection)
    assert verdict.reason is example.reason
    assert 0 < len(verdict.detail) < 250


@pytest.mark.parametrize("example", EXAMPLES, ids=names(list(EXAMPLES)))
def test_the_fast_path_and_the_full_check_agree(example: Example) -> None:
    verdict = decode_play(example.value, EXAMPLE_LOG_TIME_MS)
    assert verdict == judge_record(example.value, EXAMPLE_LOG_TIME_MS)


@pytest.mark.parametrize("example", ACCEPTED, ids=names(ACCEPTED))
def test_an_accepted_play_encoded_again_is_the_same_and_obeys_the_schema(example: Example) -> None:
    play = decode_play(example.value, EXAMPLE_LOG_TIME_MS)
    assert isinstance(play, Play)
    again = encode_play(play)
    assert decode_play(again, EXAMPLE_LOG_TIME_MS) == play
    jsonschema.validate(msgspec.json.decode(again), build_schema())


@pytest.mark.parametrize("example", VISIBLE, ids=names(VISIBLE))
def test_the_schema_refuses_what_a_schema_can_express(example: Example) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(msgspec.json.decode(example.value), build_schema())


def test_every_reason_has_an_example_and_a_meaning() -> None:
    assert {example.reason for example in REJECTED} == set(Reason) - NOT_OF_BYTES
    assert set(MEANINGS) == set(Reason)


def test_the_published_schema_is_that_of_the_struct(tmp_path) -> None:
    write_schema(tmp_path / "fresh.json")
    assert SCHEMA_PATH.read_bytes() == (tmp_path / "fresh.json").read_bytes()
