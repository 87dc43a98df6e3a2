"""What the stack's supervisor and disk guard say: read from what they leave in the data folder."""

from typing import NamedTuple

from crossfade.folder import DataFolder, read_stack
from crossfade.stack.disk_guard import read_door
from crossfade.stack.supervisor import read_state


class Alarms(NamedTuple):
    """Alarms that ring, by process, and why plays are refused; empty when all is well."""

    ringing: dict[str, str]
    refused: str


def read_alarms(folder: DataFolder) -> Alarms:
    """Read what is wrong with the stack of a data folder; without a stack, nothing is known."""
    if read_stack(folder) is None:
        return Alarms({}, "")
    door = read_door(folder)
    ringing = {one.name: one.alarm for one in read_state(folder.run / "children.json") if one.alarm}
    return Alarms(ringing, door.why if door is not None else "")
