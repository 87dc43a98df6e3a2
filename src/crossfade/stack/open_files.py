"""The number of files that a process may have open at once."""

import resource

from crossfade.errors import MachineError

LEAST = 1024
"""Spark opens some 400 at its start, jars and sockets included; Kafka one for each log segment."""

_WANTED = 10_240


def require_open_files() -> int:
    """Raise this process's limit of open files, which its children inherit; return it.

    Raises:
        MachineError: the hard limit, which only root may raise, is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if most < LEAST:
        what = f"A process may have only {most} files open (ulimit -Hn); {LEAST} needed."
        cure = "Raise the limit in /etc/security/limits.conf, or with docker run --ulimit nofile."
        raise MachineError(what, cure)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
