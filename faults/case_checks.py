"""What came of a case: refused by name with nothing written, or healed and exact."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from faults.case import Outcome
from faults.commands import Command
from faults.lake_image import Image, generation_of, name_changes, take_image
from faults.oracle_findings import Judgement, Kind
from faults.place import Place

_SHOWN = 240


def refused(
    place: Place, command: Command, pattern: str, *, injected: int, before: Image | None
) -> Outcome:
    """Judge a command that had to refuse, which has ended.

    Args:
        place: where it was given.
        command: the command.
        pattern: what its last line has to say.
        injected: how often the fault was seen to have happened.
        before: the tables' files before it: none may have changed; None: not asked here.
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
    if before is not None and (changed := name_changes(before, take_image(place.data))):
        wrong.append(f"it wrote {changed[0]}")
    said = "; ".join([*(f"WRONG: {one}" for one in wrong), last[:_SHOWN]])
    return Outcome(injected=injected, wrong=len(wrong), said=f"{command.words[0]}: {said}")


def healed(
    judgement: Judgement, *, injected: int, healed_s: float | None, said: str = ""
) -> Outcome:
    """Judge a case in which all had to go on by itself."""
    wrong = [one for one in judgement.findings if one.startswith(tuple(Kind))]
    words = "; ".join([said, *wrong[:3]])
    return Outcome(injected=injected, healed_s=healed_s, said=words, **judgement.counts())


def settle(place: Place, *, injected: int, said: str = "", others_allowed: bool = False) -> Outcome:
    """Let streams and batch go on after a fault, and judge everything."""
    healed_s = place.catch_up()
    place.publish()
    judgement = place.judge(others_allowed=others_allowed)
    return healed(judgement, injected=injected, healed_s=healed_s, said=said)


def refused_or_exact(
    place: Place, pattern: str, *, injected: int, env: Mapping[str, str] | None = None
) -> Outcome:
    """Judge a start of speed that may refuse by name or heal by itself, but not say what is wrong.

    Args:
        place: where it is injured already.
        pattern: what a refusal has to say.
        injected: how often the fault was seen to have happened.
        env: what the driver is told.
    """
    before, generation = take_image(place.data), generation_of(place.data)
    driver = place.start_streams("speed", env)
    ends = place.ends()
    if not driver.wait_until(lambda: place.has_read("speed", ends)):
        return refused(place, driver, pattern, injected=injected, before=before)
    healed_s = place.finish_streams(driver)
    place.publish()
    which = "the same" if generation_of(place.data) == generation else "a new"
    said = f"{which} generation"
    return healed(place.judge(), injected=injected, healed_s=healed_s, said=said)


def settle_anew(place: Place, injure: Callable[[], bool], *, said: str) -> Outcome:
    """Damage what speed counts with: it must count anew, as a new generation, and be exact.

    Args:
        place: where.
        injure: does it, and tells whether it was seen to have happened.
        said: what it does, in a few words.
    """
    generation = generation_of(place.data)
    injected = int(injure())
    outcome = settle(place, injected=injected, said=f"{said}: a new generation")
    is_new = generation_of(place.data) != generation
    return also(outcome, is_so=is_new, otherwise="the damaged generation went on")


def both(outcomes: Sequence[Outcome]) -> Outcome:
    """Add up what came of the parts of a case; a part that did not happen fails the whole."""
    happened = all(one.injected for one in outcomes)
    times = [one.healed_s for one in outcomes if one.healed_s is not None]
    return Outcome(
        injected=sum(one.injected for one in outcomes) if happened else 0,
        lost=sum(one.lost for one in outcomes),
        repeated=sum(one.repeated for one in outcomes),
        wrong=sum(one.wrong for one in outcomes),
        healed_s=max(times, default=None),
        said="; ".join(one.said for one in outcomes if one.said),
    )


def also(outcome: Outcome, *, is_so: bool, otherwise: str) -> Outcome:
    """Ask for one thing more; where it is not so, one more thing is wrong."""
    if is_so:
        return outcome
    return replace(outcome, wrong=outcome.wrong + 1, said=f"WRONG: {otherwise}; {outcome.said}")
