"""`crossfade config`: every setting, its value and the origin of the value."""

import sys

import msgspec

from crossfade.cli.options import DataOption, JsonOption
from crossfade.cli.tables import Column, open_console, print_table
from crossfade.config import Settings, load_settings, setting_origin

_COLUMNS = (
    Column("setting"),
    Column("value", "prose"),
    Column("from"),
    Column("meaning", "prose"),
)
_SECRET = frozenset({"sasl_password"})


def config(data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Show every setting, its value and where the value comes from.

    Each can be set by an environment variable: CROSSFADE_ and the name in capitals.

    Example:
        CROSSFADE_GRAIN=1m crossfade config
    """
    settings = load_settings(data=data)
    rows = []
    for name, field in Settings.model_fields.items():
        value = str(getattr(settings, name))
        origin = "option" if name == "data" and data is not None else setting_origin(name)
        shown = "(set)" if name in _SECRET and value else value
        rows.append(
            {"name": name, "value": shown, "origin": origin, "meaning": field.description or ""}
        )
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return
    print_table(open_console(), _COLUMNS, (tuple(row.values()) for row in rows))
