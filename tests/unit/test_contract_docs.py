"""The pages on the contract match the code."""

import json
import re
from pathlib import Path

import pytest

from crossfade.clock import now_ms
from crossfade.contract.decode import decode_play
from crossfade.contract.examples import read_examples
from crossfade.contract.examples.generated import generate_examples
from crossfade.contract.play import Play
from crossfade.contract.reasons import MEANINGS, Reason
from crossfade.contract.rules import RULES, FieldRule

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text("utf-8")
SENDING = (DOCS / "sending-plays.md").read_text("utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_field_is_documented_with_its_rule_and_outcome(rule: FieldRule) -> None:
    required = "yes" if rule.is_required else ""
    assert f"| `{rule.name}` | {required} | {rule.expected} | {rule.outcome} |" in CONTRACT


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented_with_its_meaning(reason: Reason) -> None:
    assert f"| `{reason}` | {MEANINGS[reason]} |" in CONTRACT


def test_every_hostile_input_is_an_example_and_documented_with_its_outcomes() -> None:
    outcomes: dict[str, set[str]] = {f"E{number:02}": set() for number in range(1, 71)}
    for example in (*read_examples(), *generate_examples()):
        if found := re.match(r"E\d\d(?=_)", example.name.rpartition("/")[2]):
            outcomes[found[0]].add(example.reason or ("reduced" if example.dropped else "accepted"))
    rows = re.findall(r"^\| (E\d\d) \| [^|]+ \| ([^|]+) \|", CONTRACT, re.MULTILINE)
    assert {case: set(cell.replace("`", "").split(", ")) for case, cell in rows} == outcomes


def test_the_tests_that_the_page_names_exist() -> None:
    names = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", CONTRACT)
    assert len(names) == CONTRACT.count("::") > 0
    for path, name in names:
        assert f"def {name}(" in (DOCS.parent / path).read_text("utf-8")


def test_the_example_plays_on_the_page_are_accepted() -> None:
    texts = re.findall(r"echo '(\{.*\})'", SENDING)
    assert len(texts) == 2
    for text in texts:
        play = json.loads(text.replace("'$(date +%s000)'", str(now_ms())))
        whole = {"event_id": "made-by-import", "song_id": "made-by-import", **play}
        assert isinstance(decode_play(json.dumps(whole).encode(), now_ms()), Play)
