"""Read the charts' SQL files: a header in comments, then the query that sums a chart up."""

from dataclasses import dataclass
from importlib.resources import files

from crossfade.errors import LakeError

_KEYS = ("chart", "question", "listeners", "rank by")


@dataclass(frozen=True, slots=True)
class ChartFile:
    """A chart: its name, its question, and the SQL that sums its measures by period and id.

    `listeners` is the kind of sketch that counts its listeners. Entries are ranked by the measures
    in `rank_by`, greatest first; equal ones by id.
    """

    name: str
    question: str
    listeners: str
    rank_by: tuple[str, ...]
    sql: str


def read_chart_files() -> list[ChartFile]:
    """Read every chart of the package, in order of name."""
    folder = files("crossfade.processing.batch").joinpath("sql", "charts")
    found = [path for path in folder.iterdir() if path.name.endswith(".sql")]
    return [
        parse_chart_file(path.name, path.read_text(encoding="utf-8"))
        for path in sorted(found, key=lambda path: path.name)
    ]


def parse_chart_file(file_name: str, text: str) -> ChartFile:
    """Parse a chart's header, the comments at the top of its SQL.

    Raises:
        LakeError: a header key is missing or unknown, or the chart's name is not its file's.
    """
    lines = text.splitlines()
    header = {}
    for line in lines:
        if not line.startswith("--"):
            break
        key, _, value = line.removeprefix("--").partition(":")
        header[key.strip()] = value.strip()
    if wrong := sorted(set(_KEYS) ^ {key for key, value in header.items() if value}):
        what = f"{file_name}: header keys missing or unknown: {', '.join(wrong)}."
        raise LakeError(what, f"A chart's header has {', '.join(_KEYS)}.")
    if file_name != f"{header['chart']}.sql":
        what = f"{file_name} holds the chart {header['chart']}."
        raise LakeError(what, "Name the file after its chart.")
    return ChartFile(
        name=header["chart"],
        question=header["question"],
        listeners=header["listeners"],
        rank_by=tuple(name.strip() for name in header["rank by"].split(",")),
        sql="\n".join(lines[len(header) :]).strip(),
    )
