"""The oracle: check the outcome of every record without any of the product's code.

It reads Kafka with a client, the lake as Parquet files and the API over HTTP, and compares them
with each other and with the generator's ledgers. It imports nothing of Crossfade.

    python faults/oracle.py --data data --ledger ledger
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that `faults` can be imported

from faults.oracle_api import ApiAnswer, ExpectedCounts, ask_api, check_api
from faults.oracle_charts import check_charts
from faults.oracle_copy import CopyCheck
from faults.oracle_findings import Findings, Judgement, Kind
from faults.oracle_gold import check_gold
from faults.oracle_handover import check_handovers, check_too_early
from faults.oracle_kafka import PLAYS_BY_WINDOW, SONG_PLAYS, Log, read_log
from faults.oracle_lake import Lake, Run, TimeRules
from faults.oracle_ledger import Sent, SentCheck
from faults.oracle_positions import Positions
from faults.oracle_speed import Speed, read_speed
from faults.oracle_truth import Truth
from faults.oracle_verdicts import VerdictCheck, read_erased

CHART_SIZE = 200
"""Entries that a published chart keeps, by the product's default setting."""


@dataclass(slots=True)
class Logs:
    """Kafka's two topics, read from a broker or supplied by a test."""

    bootstrap: str = ""
    song_plays: Log | None = None
    plays_by_window: Log | None = None

    def open(self, topic: str, since: Mapping[int, int] | None = None) -> Log | None:
        """Open a topic's log; None if neither a broker nor a log is known."""
        given = {SONG_PLAYS: self.song_plays, PLAYS_BY_WINDOW: self.plays_by_window}[topic]
        if given is not None or not self.bootstrap:
            return given
        return read_log(self.bootstrap, topic, since)


@dataclass(slots=True)
class Oracle:
    """Checks one data folder.

    Attributes:
        data: the data folder.
        logs: Kafka's topics; checks that need an unknown topic are skipped.
        ledgers: folders of the generator's ledgers.
        api: the API's address, such as http://127.0.0.1:8000; if empty, the API is not checked.
        others_allowed: whether records without a ledger entry are allowed.
        chart_size: entries that a published chart keeps.
        archived: the offsets up to which `check_new` has checked, by topic partition.
    """

    data: Path
    logs: Logs
    ledgers: Sequence[Path] = ()
    api: str = ""
    others_allowed: bool = False
    chart_size: int = CHART_SIZE
    archived: dict[int, int] = field(default_factory=dict)

    def check_new(self) -> Judgement:
        """Check bronze against Kafka from the last call's end, once the archive has read on."""
        findings, lake = Findings(), Lake(self.data)
        log = self.logs.open(SONG_PLAYS, self.archived)
        if log is not None:
            positions = Positions.between({**lake.first_offsets(), **self.archived}, log.ends)
            check = CopyCheck(lake, positions, read_erased(lake, positions), is_whole=False)
            for chunk in log.chunks():
                check.take(chunk)
            check.finish(log, log.ends, lake.runs(), findings)
            self.archived = dict(log.ends)
        return _close(lake, findings)

    def check_all(self) -> Judgement:
        """Check everything, from Kafka to the API, after the archive and batch have finished."""
        findings, lake = Findings(), Lake(self.data)
        rules, runs = lake.time_rules(), lake.runs()
        speed = self._read_speed(runs)
        answers = self._ask_api(rules, runs, speed)
        log = self.logs.open(SONG_PLAYS)
        ends = dict(log.ends) if log is not None else {}
        for run in runs[-1:]:
            ends = {p: max(ends.get(p, 0), end) for p, end in {**ends, **run.end_offsets}.items()}
        positions = Positions.between(lake.first_offsets(), ends)
        sent = Sent(self.ledgers, positions, findings)
        if log is not None:
            self._check_log(log, lake, positions, runs, sent, findings)
        if runs:
            self._check_run(lake, rules, runs, positions, sent, speed, findings)
            check_api(ExpectedCounts(lake, runs[-1], rules, speed), answers, findings)
        else:
            findings.note("unchecked: batch has not published a run")
        return _close(lake, findings)

    def _read_speed(self, runs: Sequence[Run]) -> Speed | None:
        """Read speed's topic first, so that the log read later holds every play it has counted."""
        log = self.logs.open(PLAYS_BY_WINDOW)
        if log is None or not runs:
            return None
        return read_speed(log, recent_from=runs[-1].boundary)

    def _ask_api(
        self, rules: TimeRules, runs: Sequence[Run], speed: Speed | None
    ) -> list[ApiAnswer]:
        """Query the API early, because the boundary moves on during the other checks."""
        if not self.api or not runs or runs[-1].boundary < 0:
            return []
        return ask_api(runs[-1], rules, self.api, is_speed_known=speed is not None)

    def _check_log(
        self,
        log: Log,
        lake: Lake,
        positions: Positions,
        runs: Sequence[Run],
        sent: Sent,
        findings: Findings,
    ) -> None:
        copy = CopyCheck(lake, positions, read_erased(lake, positions), is_whole=True)
        ends_now = self.logs.open(SONG_PLAYS)
        sendings = SentCheck(sent, positions, others_allowed=self.others_allowed)
        for chunk in log.chunks():
            copy.take(chunk)
            if self.ledgers:
                sendings.take(chunk)
        copy.finish(log, (ends_now or log).ends, runs, findings)
        if self.ledgers:
            sendings.finish(log, findings)

    def _check_run(
        self,
        lake: Lake,
        rules: TimeRules,
        runs: Sequence[Run],
        positions: Positions,
        sent: Sent,
        speed: Speed | None,
        findings: Findings,
    ) -> None:
        run = runs[-1]
        truth = Truth(lake, positions, rules)
        verdicts = VerdictCheck(lake, run, truth, sent, findings)
        verdicts.check()
        check_gold(lake, run, rules, findings)
        check_charts(lake, run, findings, chart_size=self.chart_size)
        check_too_early(truth, verdicts.is_play, runs, rules, findings)
        if speed is not None:
            is_play, erased = verdicts.is_play, verdicts.erased
            check_handovers(truth, is_play, run, speed, rules, findings, erased=erased)


def _close(lake: Lake, findings: Findings) -> Judgement:
    names = (f"{path}: {why}" for path, why in lake.unreadable.items())
    findings.add(Kind.WRONG, "unreadable file", names, total=len(lake.unreadable))
    return findings.close()


def main(words: Sequence[str] | None = None) -> int:
    """Check a data folder and print the judgement; return 1 if it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--bootstrap", help="Kafka's address (default: the running stack's)")
    parser.add_argument(
        "--ledger", type=Path, action="append", default=[], help="a ledger's folder; repeatable"
    )
    parser.add_argument("--api", help="the API's address (default: the running stack's)")
    parser.add_argument("--others", action="store_true", help="allow records that are in no ledger")
    given = parser.parse_args(words)
    stack = _read_stack(given.data)
    oracle = Oracle(
        given.data,
        Logs(given.bootstrap or stack.get("bootstrap", "")),
        given.ledger,
        api=given.api or stack.get("api", ""),
        others_allowed=given.others,
    )
    judgement = oracle.check_all()
    print(judgement)  # noqa: T201 - the command's output
    return 0 if judgement.holds else 1


def _read_stack(data: Path) -> dict[str, str]:
    """Read the addresses of a running stack."""
    path = data / "stack.json"
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
