"""The errors that Crossfade raises on purpose; anything else is a bug and may trace.

CrossfadeError            exit 1: something failed
├── MisuseError           exit 2: the command or a setting is wrong
├── MachineError          exit 1: this machine lacks something (Java, jars, a port, disk)
├── StackError            exit 1: a process of the stack, or the data folder, is not usable
├── BrokerError           exit 1: Kafka is away or refuses
├── LakeError             exit 1: a table or checkpoint is not what it should be
│   └── DamagedError      exit 1: a checkpoint cannot be read any more
└── UnprovenError         exit 1: a number could not be proved
"""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST_WORD = 64


class CrossfadeError(Exception):
    """What happened, with the value, and what to do next: one line for a person."""

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what, cure)
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        """Return the whole line: what happened, then the cure."""
        return f"{self.what} {self.cure}".strip()


class MisuseError(CrossfadeError):
    """A command line or a setting that cannot be meant."""

    exit_code = 2


class MachineError(CrossfadeError):
    """This machine lacks something that Crossfade needs."""


class StackError(CrossfadeError):
    """A process of the stack, or its data folder, is not usable."""


class BrokerError(CrossfadeError):
    """Kafka is away, or refuses what was asked."""


class LakeError(CrossfadeError):
    """A table or a checkpoint is not what it should be."""


class DamagedError(LakeError):
    """A checkpoint that cannot be read any more; speed's is begun anew, the archive's never."""


class UnprovenError(CrossfadeError):
    """A number could not be proved; nothing was published."""


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean …?" with the known word nearest to this one; empty if none is near."""
    near = get_close_matches(word[:_LONGEST_WORD].casefold(), tuple(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def suggest_known(word: str, known: Iterable[str], kind: str) -> str:
    """Return "Did you mean …?" with the nearest known word, or a list of all if none is near."""
    words = tuple(known)
    return suggest_nearest(word, words) or f"Known {kind}: {', '.join(words)}."
