"""The alarms of a stack, from the files that its supervisor and disk guard write."""

from typing import NamedTuple

from crossfade.folder import DataFolder, read_stack
from crossfade.stack.disk_guard import read_door
from crossfade.stack.supervisor import read_state


class Alarms(NamedTuple):
    """Active alarms by process, and why plays are refused; both empty without a problem."""

    active: dict[str, str]
    refused: str


def read_alarms(folder: DataFolder) -> Alarms:
    """Read the alarms of the stack that runs on a data folder; no stack, no alarms."""
    if read_stack(folder) is None:
        return Alarms({}, "")
    door = read_door(folder)
    active = {one.name: one.alarm for one in read_state(folder.children_file) if one.alarm}
    return Alarms(active, door.why if door is not None else "")
