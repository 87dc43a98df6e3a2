"""Ports on this machine's loopback address: free ones, and the holders of others."""

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"

_BELOW_OUTGOING = range(20_000, 32_000)
"""Below the ports that systems use for outgoing connections, which could take one of these."""


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
    """Return different free ports, none of which this function returns to another process.

    A server binds its port seconds after it was chosen. To reserve it, this process binds the UDP
    port of the same number, which nothing here uses, until it ends.
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
    # Deliberately left open until the process ends.
    holder.detach()
    return True


def is_answering(port: int) -> bool:
    """Check whether a server accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def describe_holder(port: int) -> str:
    """Return who listens on a port, as " by java (pid 12)"; empty if the user may not see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
