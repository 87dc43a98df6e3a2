"""Every promise on the page of guarantees names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from crossfade.lake.handovers import HandoverVerdict
from faults.run import list_cases

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "guarantees.md"
_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def read_promises() -> list[str]:
    return [line for line in _promised().splitlines() if line.startswith("- ")]


def _promised() -> str:
    return _PAGE.read_text("utf-8").split("\n## Limits")[0]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("promise", read_promises())
def test_a_promise_names_tests_that_exist(promise: str) -> None:
    assert "MUST" in promise
    assert " Test: `" in promise
    names = _NAME.findall(promise)
    assert names
    assert len(names) == promise.count("::")
    for path, name in names:
        assert name in names_in(_ROOT / path), f"{path} has no {name}"


def test_a_promise_names_fault_cases_that_exist() -> None:
    named = {
        case.strip()
        for promise in read_promises()
        for cases in re.findall(r"Case: ([^.`]+)$", promise)
        for case in cases.split(",")
    }
    assert len(named) > 10
    assert named <= {case.id for case in list_cases()}


def test_the_page_has_promises() -> None:
    assert len(read_promises()) > 40


def test_every_verdict_of_a_hand_over_is_explained() -> None:
    page = (_ROOT / "docs" / "proof.md").read_text("utf-8")
    for verdict in HandoverVerdict:
        assert f"| `{verdict}` |" in page
