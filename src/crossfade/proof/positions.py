"""The first law of conservation: bronze has every position once, with exactly one outcome."""

from collections import defaultdict

from crossfade.kafka.topics import SONG_PLAYS
from crossfade.lake.binding import read_archive_binding
from crossfade.lake.findings import Finding, judge, leave_out
from crossfade.proof.pinned import PinnedLake

BEGINNING = "the runs begin where the archive began"
BRONZE_LAW = "bronze holds the range"
JUDGED_LAW = "bronze = accepted + rejected + duplicates + erased"


def check_positions(pinned: PinnedLake) -> list[Finding]:
    """Check for each topic partition that no position is missing, repeated or out of range."""
    bronze, judged = _wrong_in_bronze(pinned), _wrongly_judged(pinned)
    findings = []
    for partition, in_range, gaps, held, *parts in pinned.fetch("positions_by_partition"):
        subject = f"{SONG_PLAYS} [{partition}]"
        findings.append(
            judge(
                BRONZE_LAW,
                subject,
                expected=in_range - gaps,
                found=held,
                wrong=bronze[partition],
                note=f"{gaps:,} offsets without a play: of transactions" if gaps else "",
            )
        )
        findings.append(
            judge(
                JUDGED_LAW,
                subject,
                expected=held,
                found=sum(parts),
                wrong=judged[partition],
                note="{:,} accepted, {:,} rejected, {:,} duplicates, {:,} erased".format(*parts),
            )
        )
    return findings


def check_beginning(pinned: PinnedLake) -> Finding:
    """Check that the runs begin at the offsets that the archive recorded at its first start."""
    binding = read_archive_binding(pinned.folder)
    if binding is None:
        return leave_out(BEGINNING, "all", "The archive's binding file is missing.")
    firsts = {partition: first for partition, first, _ in pinned.fetch("covered")}
    wrong = [
        f"{SONG_PLAYS} [{partition}]: the archive began at {first}, the runs at {firsts[partition]}"
        for partition, first in binding.first_offsets.items()
        if firsts.get(partition, first) != first
    ]
    count = len(firsts)
    subject = f"{count} topic partitions"
    return judge(BEGINNING, subject, expected=count, found=count - len(wrong), wrong=wrong)


def format_position(partition: int, first: int, last: int | None = None) -> str:
    """Format a position, or a range of positions, of `song-plays`."""
    if last is None or last == first:
        return f"{SONG_PLAYS} [{partition}] offset {first}"
    return f"{SONG_PLAYS} [{partition}] offsets {first} to {last}"


def _wrong_in_bronze(pinned: PinnedLake) -> dict[int, list[str]]:
    wrong: dict[int, list[str]] = defaultdict(list)
    for partition, first, last in pinned.fetch("gaps_in_bronze"):
        wrong[partition].append(f"{format_position(partition, first, last)}: not in bronze")
    for partition, offset, fault in pinned.fetch("excess_in_bronze"):
        wrong[partition].append(f"{format_position(partition, offset)}: {fault}")
    return wrong


def _wrongly_judged(pinned: PinnedLake) -> dict[int, list[str]]:
    wrong: dict[int, list[str]] = defaultdict(list)
    for partition, offset, fault in pinned.fetch("judged_wrongly"):
        wrong[partition].append(f"{format_position(partition, offset)}: {fault}")
    return wrong
