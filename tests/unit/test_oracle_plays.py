"""The oracle's own rules agree with the contract wherever they are sure."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.contract.decode import Rejection, decode_play, encode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, read_examples
from crossfade.contract.play import Play
from faults.oracle_plays import Decision, event_id_of, read_play
from faults.oracle_plays import Play as PlainPlay
from support.handmade_lake import a_play

_FAULT = Path(__file__).parents[2] / "faults"
_ALLOWED = {"confluent_kafka", "deltalake", "faults", "httpx", "numpy", "pyarrow"}


def _modules() -> list[Path]:
    return sorted(_FAULT.glob("oracle*.py"))


@pytest.mark.parametrize("path", _modules(), ids=lambda path: path.stem)
def test_the_oracle_imports_nothing_of_the_product(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            package, _, module = name.partition(".")
            assert package in _ALLOWED | sys.stdlib_module_names, name
            assert package != "faults" or module.startswith("oracle_"), name


def test_importing_the_oracle_loads_no_module_of_the_product() -> None:
    program = "import faults.oracle, sys; sys.exit(any('crossfade' in one for one in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=_FAULT.parent, check=False)
    assert done.returncode == 0
    assert len(_modules()) > 10


def test_the_oracle_is_sure_of_no_example_that_the_contract_judges_differently() -> None:
    verdicts = []
    for example in read_examples():
        log_time = None if example.reason == "log_time_unknown" else EXAMPLE_LOG_TIME_MS
        sure, play = read_play(example.value, log_time)
        verdicts.append(sure)
        if sure is Decision.PLAY:
            assert example.reason is None, example.name
        if sure is Decision.NOT_A_PLAY:
            assert example.reason is not None, example.name
        if play is not None and example.reason is None:
            decoded = decode_play(example.value, log_time)
            assert isinstance(decoded, Play)
            assert play == _plain(decoded), example.name
    assert verdicts.count(Decision.UNDECIDED) < len(verdicts) / 5


_ODD = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=2),
    st.sampled_from([-1, 0, 1, 29_999, 30_000, 86_400_000, 86_400_001, 2**63, 10**40]),
    st.sampled_from(["", "SE", "se", "XX", "free", "video", "phone", "e\u0301", "a@b.c"]),
)  # fmt: skip
_NAMES = st.sampled_from([*Play.__struct_fields__, "unknown"])


@given(st.dictionaries(_NAMES, _ODD, max_size=3), st.binary(max_size=3), st.integers(0, 400))
def test_the_oracle_is_sure_of_no_damaged_record_that_the_contract_judges_differently(
    changes: dict[str, object], dirt: bytes, at: int
) -> None:
    play = a_play(7, album="Album", device="mobile", tier="paid")
    fields = json.loads(encode_play(play)) | changes
    plain = json.dumps(fields).encode()
    for value in (plain, plain[:at] + dirt + plain[at:], dirt):
        log_time = play.event_time + 1_000
        sure, read = read_play(value, log_time)
        decoded = decode_play(value, log_time)
        if isinstance(decoded, Rejection):
            assert sure is not Decision.PLAY, decoded
        else:
            assert sure is not Decision.NOT_A_PLAY
            assert read in (None, _plain(decoded))


def test_an_event_id_is_read_only_to_name_a_record() -> None:
    assert event_id_of(encode_play(a_play(3))) == "event-00003"
    for value in (None, b"", b"[]", b"\xff", b'{"event_id": 3}', b"[" * 100_000):
        assert event_id_of(value) is None


def _plain(play: Play) -> PlainPlay:
    return PlainPlay(*(getattr(play, name) for name in PlainPlay._fields))
