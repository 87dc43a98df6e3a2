"""The errors that Crossfade raises deliberately; any other exception is a bug.

CrossfadeError            exit 1: something failed
├── MisuseError           exit 2: the command or a setting is wrong
├── MachineError          exit 1: this machine lacks something (Java, jars, a port, disk)
├── StackError            exit 1: a process of the stack, or the data folder, is not usable
├── BrokerError           exit 1: Kafka is unreachable or refuses a request
├── LakeError             exit 1: a table or checkpoint is not as expected
│   └── DamagedError      exit 1: a checkpoint can no longer be read
└── UnprovenError         exit 1: a number could not be proved
"""

from collections.abc import Iterable
from difflib import get_close_matches

_MAX_WORD = 64


class CrossfadeError(Exception):
    """An error for the user: what happened, with the value, and what to do about it."""

    exit_code = 1

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what, cure)
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        """Return the whole line: what happened, then the cure."""
        return f"{self.what} {self.cure}".strip()


class MisuseError(CrossfadeError):
    """The command line or a setting is wrong."""

    exit_code = 2


class MachineError(CrossfadeError):
    """This machine lacks something that Crossfade needs."""


class StackError(CrossfadeError):
    """A process of the stack, or its data folder, is not usable."""


class BrokerError(CrossfadeError):
    """Kafka is unreachable, or refuses a request."""


class LakeError(CrossfadeError):
    """A table or a checkpoint is not as expected."""


class DamagedError(LakeError):
    """A checkpoint can no longer be read; only speed replaces its own with a new one."""


class UnprovenError(CrossfadeError):
    """A number could not be proved; nothing was published."""


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean …?" with the most similar known word; empty if none is similar."""
    near = get_close_matches(word[:_MAX_WORD].casefold(), tuple(known), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def suggest_known(word: str, known: Iterable[str], kind: str) -> str:
    """Return "Did you mean …?" with the most similar known word, or else a list of all."""
    words = tuple(known)
    return suggest_nearest(word, words) or f"Known {kind}: {', '.join(words)}."
