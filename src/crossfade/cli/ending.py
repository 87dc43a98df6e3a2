"""How a command ends: its exit code, and one line on standard error for each kind of failure."""

import codecs
import errno
import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path

from crossfade.clock import format_time, now_ms
from crossfade.config import load_settings
from crossfade.errors import CrossfadeError
from crossfade.folder import open_folder

DEBUG = "CROSSFADE_DEBUG"
"""The variable that --debug sets, so that the processes of a stack show traces too."""

_NOT_SET = {"", "0", "false", "no", "off"}
_INTERRUPTED = 130
_SHORT = 300
_MAX_BYTES = 1_000_000
_PACKAGE = Path(__file__).parents[1]

_FULL = ("The disk is full", "Make room; nothing is lost.")
_DISK_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("The disk is read-only", "Mount it for writing again; nothing is lost."),
    errno.EIO: ("The disk fails, Input/output error", "See the system's log; replace the disk."),
}


@contextmanager
def explain_ending() -> Iterator[None]:
    """Turn what the block raises into an exit code, with one line on standard error.

    If the reader of standard output is gone, as behind `| head`, the command ends without a word.
    """
    output = _duplicate_output()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except SystemExit as ended:
        # Typer and Rich have already turned these into an exit.
        if isinstance(ended.__context__, BrokenPipeError):
            _report_pipe(ended.__context__, output)
        if ended.code == _INTERRUPTED:
            sys.stderr.write("Interrupted.\n")
        raise
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(_INTERRUPTED)
    except CrossfadeError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError as error:
        _report_pipe(error, output)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the one place where an unknown error ends
        sys.stderr.write(f"Error: {_describe(error)}\n")
        sys.exit(1)
    finally:
        _drop_unwritable_output()


def prepare_output() -> None:
    """Make standard output and error take every character, whatever their encoding.

    What the encoding lacks is written as in JSON, so that output for programs stays right.
    """
    codecs.register_error("crossfade", _escape)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="crossfade")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    escaped = (f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return "".join(escaped), error.end


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
        what, cure = _DISK_FAULTS[error.errno]
        return f"{what}: {error.filename or error}. {cure}"
    trace = "".join(traceback.format_exception(error))
    if os.environ.get(DEBUG, "").casefold() not in _NOT_SET:
        sys.stderr.write(trace)
        kept = "The trace is above"
    elif (log := _write_trace(trace)) is not None:
        kept = f"The trace is in {log}"
    else:
        kept = 'See the trace with "crossfade --debug"'
    first = (str(error).strip().splitlines() or ["no message"])[0][:_SHORT]
    what = f"Unexpected {type(error).__name__}: {first} ({_find_place(error)})."
    return f"{what} {kept}; please report it."


def _find_place(error: Exception) -> str:
    """Return the last line of ours that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def _write_trace(trace: str) -> Path | None:
    """Append a trace to a log of the data folder, else of the cache; return the log."""
    entry = f"{format_time(now_ms())}\n{trace}\n".encode(errors="replace")
    for folder in _list_log_folders():
        log = folder / "errors.log"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            is_full = log.exists() and log.stat().st_size > _MAX_BYTES
            with log.open("wb" if is_full else "ab") as file:
                file.write(entry)
            return log
    return None


def _list_log_folders() -> Iterator[Path]:
    with suppress(CrossfadeError):
        settings = load_settings(data=_find_data_option(sys.argv[1:]))
        with suppress(CrossfadeError, OSError):
            yield open_folder(settings, create=False).logs
        yield settings.cache / "logs"


def _find_data_option(words: list[str]) -> Path | None:
    for word, following in pairwise([*words, ""]):
        if word == "--data" and following:
            return Path(following)
        if word.startswith("--data="):
            return Path(word.partition("=")[2])
    return None


def _duplicate_output() -> int | None:
    """Return another descriptor of standard output: Rich replaces a pipe without a reader."""
    with suppress(OSError, ValueError, AttributeError):
        return os.dup(sys.__stdout__.fileno())  # type: ignore[union-attr]
    return None


def _report_pipe(error: BrokenPipeError, output: int | None) -> None:
    """Report a broken pipe unless it is standard output's, whose reader has seen enough."""
    waiting = select.poll()
    if output is not None:
        waiting.register(output, 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0)):
        sys.stderr.write(f"Error: {_describe(error)}\n")


def _drop_unwritable_output() -> None:
    """Discard what standard output refuses: Python would complain about it when it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
