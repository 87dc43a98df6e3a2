"""Ports of this machine's loopback: which are free, and who has one that is not."""

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"

_BELOW_OUTGOING = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections, so that none of those takes one."""


def is_free(port: int) -> bool:
    """Check whether a server could listen on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def find_free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on, and that no other process was given here.

    A server takes its port seconds after it was chosen. Until this process ends, it holds the same
    number among UDP's ports, which nobody here serves, and so keeps it from whoever else asks.
    """
    candidates = random.SystemRandom().sample(_BELOW_OUTGOING, len(_BELOW_OUTGOING))
    free = (port for port in candidates if is_free(port) and _reserve(port))
    return [next(free) for _ in range(count)]


def _reserve(port: int) -> bool:
    holder = socket.socket(type=socket.SOCK_DGRAM)
    try:
        holder.bind((LOOPBACK, port))
    except OSError:
        holder.close()
        return False
    # Left open on purpose, for as long as the process lives.
    holder.detach()
    return True


def is_answering(port: int) -> bool:
    """Check whether a server takes connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def describe_holder(port: int) -> str:
    """Say who listens on a port, as far as this user may know: " by java (pid 12)", or nothing."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
