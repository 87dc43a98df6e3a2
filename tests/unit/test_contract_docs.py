"""The pages on the contract say what the code says."""

import json
import re
from pathlib import Path

import pytest

from crossfade.clock import now_ms
from crossfade.contract.decode import decode_play
from crossfade.contract.play import Play
from crossfade.contract.reasons import MEANINGS, Reason
from crossfade.contract.rules import RULES, FieldRule

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text("utf-8")
SENDING = (DOCS / "sending-plays.md").read_text("utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_field_is_documented_with_its_rule_and_reason(rule: FieldRule) -> None:
    required = "yes" if rule.is_required else ""
    assert f"| `{rule.name}` | {required} | {rule.expected} | `{rule.reason}` |" in CONTRACT


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented_with_its_meaning(reason: Reason) -> None:
    assert f"| `{reason}` | {MEANINGS[reason]} |" in CONTRACT


def test_the_plays_to_copy_from_the_page_are_accepted() -> None:
    texts = re.findall(r"echo '(\{.*\})'", SENDING)
    assert len(texts) == 2
    for text in texts:
        play = json.loads(text.replace("'$(date +%s000)'", str(now_ms())))
        whole = {"event_id": "made-by-import", "song_id": "made-by-import", **play}
        assert isinstance(decode_play(json.dumps(whole).encode(), now_ms()), Play)
