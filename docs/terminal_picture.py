"""Draw docs/pictures/terminal.svg: real commands and their real output over the sample year.

Run by scripts/pictures. Without --data, it first imports the sample year into a temporary data
folder and runs batch, which starts Kafka and Spark and takes some minutes.
"""

import argparse
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from crossfade.ingest.sample import sample_year_path

PICTURE = Path(__file__).parent / "pictures" / "terminal.svg"
WIDTH = 100
COMMANDS = (
    "crossfade chart songs --month 2019-06 --limit 6",
    "crossfade chart artists --year 2019 --limit 4",
    "crossfade reconcile | tail -n 14",
)
_FONTS = re.compile(r"@font-face \{.*?\}\n\s*", re.DOTALL)
"""Rich's template loads fonts from the web; a viewer's own monospace font does as well."""


def main() -> None:
    """Read the arguments, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a data folder that holds the sample year")
    data = parser.parse_args().data
    if data is not None:
        draw(data)
        return
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        run("import", "spotify", str(sample_year_path()), "--data", str(data))
        run("batch", "--once", "--data", str(data))
        draw(data)


def run(*arguments: str) -> None:
    """Run a command of Crossfade, with its output on this terminal."""
    subprocess.run([sys.executable, "-m", "crossfade", *arguments], check=True)


def draw(data: Path) -> None:
    """Run the commands over a data folder, and write their output as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(capture(command, data)))
    template = _FONTS.sub("", CONSOLE_SVG_FORMAT)
    console.save_svg(str(PICTURE), title="crossfade", code_format=template, unique_id="crossfade")


def capture(command: str, data: Path) -> str:
    """Return the coloured output of a shell command that runs in the environment of this script."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CROSSFADE_DATA": str(data),
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
        "TERM": "xterm-256color",
    }
    answer = subprocess.run(  # noqa: S602 - only COMMANDS
        command,
        shell=True,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return answer.stdout


if __name__ == "__main__":
    main()
