"""Entry point of `python -m crossfade` and of the command `crossfade`."""

import sys

from crossfade.errors import MachineError
from crossfade.stack.python_path import require_own_packages


def main() -> None:
    """Run the command line, unless PYTHONPATH keeps it from being loaded."""
    try:
        from crossfade.cli import main as run
    except Exception:
        try:
            require_own_packages()
        except MachineError as error:
            sys.exit(f"Error: {error}")
        raise
    run()


if __name__ == "__main__":
    main()
