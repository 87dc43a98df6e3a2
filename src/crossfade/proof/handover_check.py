"""The check of hand-overs, compared again where Kafka still holds speed's values."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from crossfade.clock import format_time
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import PLAYS_BY_WINDOW
from crossfade.lake.findings import Finding, Verdict, judge, leave_out, name_some
from crossfade.lake.handovers import Handover, HandoverVerdict, read_handovers
from crossfade.proof.handover import find_verdicts
from crossfade.proof.handover_facts import prepare_on_time
from crossfade.proof.pinned import PinnedLake
from crossfade.proof.positions import format_position

HANDED_OVER = "speed = batch at hand-over"
NONE_LATER = "no play on time comes after its window was handed over"


def check_handovers(pinned: PinnedLake, address: KafkaAddress | None) -> list[Finding]:
    """Check every hand-over, and that no play on time was logged after its window's hand-over."""
    recorded = read_handovers(pinned.folder.lake)
    if address is None:
        why = "No stack runs: the recorded verdicts were used; speed was not read again."
        findings = [*_report(recorded), leave_out(HANDED_OVER, PLAYS_BY_WINDOW, why)]
        prepare_on_time(pinned)
    else:
        others = {run for run, _, _, rules in pinned.fetch("runs") if rules != pinned.run.rules}
        findings = _report(_prefer_recorded(find_verdicts(pinned, address), recorded, others))
    late = [
        f"{format_position(partition, offset)}: of window {format_time(window)}, beyond run {run}"
        for partition, offset, window, run in pinned.fetch("handed_over_too_early")
    ]
    findings.append(judge(NONE_LATER, "all windows", expected=0, found=len(late), wrong=late))
    return findings


def _prefer_recorded(
    found: Iterable[Handover], recorded: Iterable[Handover], by_other_rules: Collection[int]
) -> list[Handover]:
    """Replace verdicts that can no longer be computed by the recorded ones, where there are any.

    These are the windows that Kafka no longer retains, and those of runs by other rules, which
    speed had counted by these rules too.
    """
    known = {one.window_start: one for one in recorded}
    verdicts = {}
    for one in found:
        lost = one.verdict is HandoverVerdict.NOT_RETAINED or one.run in by_other_rules
        verdicts[one.window_start] = known.get(one.window_start, one) if lost else one
    return [verdicts[start] for start in sorted(verdicts)]


def _report(handovers: Sequence[Handover]) -> list[Finding]:
    pending = [one for one in handovers if one.verdict is HandoverVerdict.PENDING]
    settled = [one for one in handovers if one.verdict is not HandoverVerdict.PENDING]
    findings = [_summarize(settled)]
    if pending:
        note = "Speed has not yet read all that batch covers."
        findings.append(_describe(pending, Verdict.PENDING, (), note))
    return findings


def _summarize(settled: Sequence[Handover]) -> Finding:
    counts = Counter(one.verdict for one in settled)
    wrong = [
        f"window {format_time(one.window_start)} of run {one.run}: speed has {one.speed_plays:,} "
        f"plays, batch {one.batch_plays:,}, and {one.repeated_plays:,} repeats"
        for one in settled
        if one.verdict is HandoverVerdict.UNEXPLAINED
    ]
    verdict = (
        Verdict.HOLDS if counts.total() == counts[HandoverVerdict.EQUAL] else Verdict.EXPLAINED
    )
    if wrong:
        verdict = Verdict.UNEXPLAINED
    note = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    return _describe(settled, verdict, name_some(wrong), note)


def _describe(
    handovers: Sequence[Handover], verdict: Verdict, wrong: tuple[str, ...], note: str
) -> Finding:
    return Finding(
        HANDED_OVER,
        f"{len(handovers):,} windows",
        sum(one.batch_plays for one in handovers),
        sum(one.speed_plays for one in handovers),
        verdict,
        wrong,
        note,
    )
