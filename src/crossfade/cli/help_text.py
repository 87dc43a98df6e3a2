"""Help texts of commands, made from their docstrings."""

import inspect

import typer


def set_help_texts(app: typer.Typer) -> None:
    """Make each command's docstring its help text, with paragraphs that wrap at any width."""
    for command in (*app.registered_commands, app.registered_callback):
        if command is not None and command.callback is not None and command.callback.__doc__:
            command.help = _unwrap(command.callback.__doc__)


def _unwrap(docstring: str) -> str:
    """Write each paragraph on one line, since Typer keeps line breaks; keep one example a line.

    An empty line before examples that follow the first paragraph makes Typer keep their indent.
    """
    first, *others = inspect.cleandoc(docstring).split("\n\n")
    unwrapped = [one if one.startswith("Example:") else " ".join(one.split()) for one in others]
    separator = "\n\n\n" if unwrapped and unwrapped[0].startswith("Example:") else "\n\n"
    return f"{first}{separator}" + "\n\n".join(unwrapped)
