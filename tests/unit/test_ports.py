import socket
import subprocess
import sys

import pytest

from crossfade.stack import ports
from crossfade.stack.ports import LOOPBACK, find_free_ports

_FEW = range(23_450, 23_470)
_ASK = f"""
from crossfade.stack import ports
ports._BELOW_OUTGOING = range({_FEW.start}, {_FEW.stop})
print(*ports.find_free_ports(8), flush=True)
input()
"""


def test_two_processes_never_get_the_same_port_even_before_they_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "_BELOW_OUTGOING", _FEW)
    with subprocess.Popen(
        [sys.executable, "-c", _ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = set(find_free_ports(8))
        other.communicate("\n")
    assert len(theirs) == len(ours) == 8
    assert not theirs & ours


def test_a_port_that_was_given_can_be_listened_on() -> None:
    [port] = find_free_ports(1)
    with socket.socket() as server:
        server.bind((LOOPBACK, port))
        server.listen()
