"""The data folder of a command that fills it, which is never guessed."""

from crossfade.cli.options import open_or_create_folder
from crossfade.config import Settings
from crossfade.errors import MisuseError
from crossfade.folder import DataFolder
from crossfade.stack.running import list_stacks


def open_chosen_folder(settings: Settings) -> DataFolder:
    """Open the data folder that the settings name; create it, and report that, if there is none.

    Raises:
        MisuseError: no setting names the folder, and a stack runs on another one.
    """
    if "data" not in settings.model_fields_set and not settings.bootstrap:
        _refuse_to_guess(settings)
    return open_or_create_folder(settings)


def _refuse_to_guess(settings: Settings) -> None:
    root, stacks = settings.data.absolute(), list_stacks()
    if stacks and root.resolve() not in [stack.resolve() for stack in stacks]:
        others = ", ".join(map(str, stacks))
        what = f"No folder is named; the default is {root}, but a stack runs on {others}."
        raise MisuseError(what, f"Choose: --data {stacks[0]}, or --data {settings.data}.")
