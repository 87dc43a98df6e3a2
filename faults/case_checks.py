"""Turn what a case left behind into its outcome: refused with nothing written, or healed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from faults.case import Outcome
from faults.commands import Command
from faults.lake_snapshot import Snapshot, generation_of, list_changes, take_snapshot
from faults.oracle_findings import Judgement, Kind
from faults.workspace import Workspace

_SHOWN = 240


def check_refused(
    workspace: Workspace, command: Command, pattern: str, *, injected: int, before: Snapshot | None
) -> Outcome:
    """Check that a command, which has ended, refused its work with the expected error.

    Args:
        workspace: where the command ran.
        command: the command.
        pattern: a regular expression that its last line must contain.
        injected: how often the fault was observed.
        before: the tables' files before the command; none may have changed. None: not checked.
    """
    wrong = []
    if command.exit_code == 0:
        wrong.append("it was not refused")
    elif command.exit_code not in (1, 2):
        wrong.append(f"it ended with {command.exit_code}")
    last = command.last_line
    if not last.startswith("Error: "):
        wrong.append("its last line is no error of ours")
    elif not re.search(pattern, last):
        wrong.append(f"it does not say {pattern!r}")
    if before is not None and (changed := list_changes(before, take_snapshot(workspace.data))):
        wrong.append(f"it wrote {changed[0]}")
    seen = "; ".join([*(f"WRONG: {one}" for one in wrong), last[:_SHOWN]])
    return Outcome(injected=injected, wrong=len(wrong), seen=f"{command.words[0]}: {seen}")


def check_healed(
    judgement: Judgement, *, injected: int, healed_s: float | None, seen: str = ""
) -> Outcome:
    """Build the outcome of a case in which everything must recover automatically."""
    wrong = [one for one in judgement.findings if one.startswith(tuple(Kind))]
    words = "; ".join([seen, *wrong[:3]])
    return Outcome(injected=injected, healed_s=healed_s, seen=words, **judgement.counts())


def recover(
    workspace: Workspace, *, injected: int, seen: str = "", others_allowed: bool = False
) -> Outcome:
    """Run streams and batch after a fault, and judge everything."""
    healed_s = workspace.catch_up()
    workspace.publish()
    judgement = workspace.judge(others_allowed=others_allowed)
    return check_healed(judgement, injected=injected, healed_s=healed_s, seen=seen)


def check_refused_or_exact(
    workspace: Workspace, pattern: str, *, injected: int, env: Mapping[str, str] | None = None
) -> Outcome:
    """Start speed; it may refuse with the expected error or recover, but not give wrong counts.

    Args:
        workspace: a folder that is damaged already.
        pattern: a regular expression that the error of a refusal must contain.
        injected: how often the fault was observed.
        env: environment variables for the driver.
    """
    before, generation = take_snapshot(workspace.data), generation_of(workspace.data)
    driver = workspace.start_streams("speed", env)
    ends = workspace.end_offsets()
    if not driver.wait_until(lambda: workspace.has_read("speed", ends)):
        return check_refused(workspace, driver, pattern, injected=injected, before=before)
    healed_s = workspace.finish_streams(driver)
    workspace.publish()
    which = "the same" if generation_of(workspace.data) == generation else "a new"
    seen = f"{which} generation"
    return check_healed(workspace.judge(), injected=injected, healed_s=healed_s, seen=seen)


def recover_with_new_generation(
    workspace: Workspace, damage: Callable[[], bool], *, seen: str
) -> Outcome:
    """Damage speed's state; speed must begin a new generation and count exactly.

    Args:
        workspace: the folder to damage.
        damage: does the damage, and returns whether the damage was observed.
        seen: the damage in a few words.
    """
    generation = generation_of(workspace.data)
    injected = int(damage())
    outcome = recover(workspace, injected=injected, seen=f"{seen}: a new generation")
    is_new = generation_of(workspace.data) != generation
    return require(outcome, condition=is_new, problem="the damaged generation was continued")


def add_up(outcomes: Sequence[Outcome]) -> Outcome:
    """Add up the outcomes of a case's parts; a fault that did not happen fails the whole case."""
    happened = all(one.injected for one in outcomes)
    times = [one.healed_s for one in outcomes if one.healed_s is not None]
    return Outcome(
        injected=sum(one.injected for one in outcomes) if happened else 0,
        lost=sum(one.lost for one in outcomes),
        repeated=sum(one.repeated for one in outcomes),
        wrong=sum(one.wrong for one in outcomes),
        healed_s=max(times, default=None),
        seen="; ".join(one.seen for one in outcomes if one.seen),
    )


def require(outcome: Outcome, *, condition: bool, problem: str) -> Outcome:
    """Add one wrong result, with the problem's text, if a condition does not hold."""
    if condition:
        return outcome
    return replace(outcome, wrong=outcome.wrong + 1, seen=f"WRONG: {problem}; {outcome.seen}")
