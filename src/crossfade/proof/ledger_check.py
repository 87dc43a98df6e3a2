"""The comparison of ledgers with the lake: each record sent, with the outcome in its ledger."""

from collections.abc import Sequence

from crossfade.contract.ledger import Ledger
from crossfade.lake.findings import Finding, Verdict, leave_out
from crossfade.proof.ledger_totals import check_gold, check_whole
from crossfade.proof.ledger_views import create_ledger_views, find_violations, judge_violations
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import format_position

IN_BRONZE = "ledger: every record sent is in bronze"
SAME_ANSWER = "ledger: every record judged correctly"
SAME_PLAY = "ledger: silver equals what was sent"
NOTHING_ELSE = "ledger: nothing that was not sent"

_LEFT_OUT = {
    "before": "The archive began after them.",
    "not in Kafka": "They were written to a file: they have no position in Kafka.",
}


def check_ledgers(pinned: PinnedLake, ledgers: Sequence[Ledger]) -> list[Finding]:
    """Check every record of every ledger, and gold against all ledgers together."""
    if not ledgers:
        return []
    create_ledger_views(pinned, ledgers)
    findings = []
    for number, ledger in enumerate(ledgers):
        findings.append(check_whole(pinned, number, ledger))
        findings += _check_records(pinned, number, ledger)
    return [*findings, *check_gold(pinned)]


def _check_records(pinned: PinnedLake, number: int, ledger: Ledger) -> list[Finding]:
    places = {place: counts for place, *counts in pinned.fetch("ledger_places", ledger=number)}
    covered, accepted = places.get("covered", (0, 0))
    name = ledger.folder.name
    return [
        *_report_uncovered(name, {place: records for place, (records, _) in places.items()}),
        *(
            _check_rows(pinned, query, check, f"{name}: {of:,} {what}", of=of, ledger=number)
            for query, check, of, what in (
                ("ledger_not_in_bronze", IN_BRONZE, covered, "records"),
                ("ledger_other_answers", SAME_ANSWER, covered, "records"),
                ("ledger_other_plays", SAME_PLAY, accepted, "accepted plays"),
            )
        ),
        _check_unlisted(pinned, ledger),
    ]


def _report_uncovered(name: str, places: dict[str, int]) -> list[Finding]:
    findings = []
    if beyond := places.get("beyond", 0):
        subject, note = f"{name}: {beyond:,} records", "The newest run does not cover them yet."
        findings.append(Finding(IN_BRONZE, subject, beyond, "-", Verdict.PENDING, (), note))
    for place, why in _LEFT_OUT.items():
        if records := places.get(place, 0):
            findings.append(leave_out(IN_BRONZE, f"{name}: {records:,} records", why))
    return findings


def _check_rows(
    pinned: PinnedLake, query: str, check: str, subject: str, *, of: int, ledger: int
) -> Finding:
    wrong = find_violations(pinned, query, _format_row, ledger=ledger)
    return judge_violations(check, subject, wrong, sides=(of, of - wrong.total))


def _check_unlisted(pinned: PinnedLake, ledger: Ledger) -> Finding:
    """Check for plays of the ledger's run that were not sent; unacknowledged ones are allowed."""
    pinned.prepare("ledger_unlisted", run=ledger.seal.run)
    wrong = find_violations(pinned, "ledger_not_sent", _format_row)
    [(found,)] = pinned.fetch("ledger_found")
    unknown = ledger.seal.unknown
    note = f"{found:,} of {unknown:,} records without an acknowledgement are in the log"
    subject = f"{ledger.folder.name}: plays of run {ledger.seal.run}"
    return judge_violations(
        NOTHING_ELSE, subject, wrong, sides=(0, wrong.total), note=note if unknown else ""
    )


def _format_row(
    partition: int, offset: int, number: int | None, event_id: str | None, fault: str
) -> str:
    """Format a wrong record with its position, its number in the ledger and its event id."""
    names = []
    if number is not None:
        names.append(f"record {number}")
    if event_id is not None:
        names.append(f"event {event_id}")
    return f"{format_position(partition, offset)} ({', '.join(names)}): {fault}"
