"""How the command line reads its words: mistakes in one line, and help without noise."""

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from crossfade.errors import MisuseError, suggest_known, suggest_nearest

_ELSEWHERE = {
    "top": "trending",
    "hot": "trending",
    "now": "trending",
    "songs": "chart songs",
    "artists": "chart artists",
    "charts": "chart",
    "countries": "geography",
    "start": "up",
    "run": "up",
    "stack": "up",
    "send": "generate",
    "simulate": "generate",
    "api": "serve",
    "prove": "reconcile",
    "proof": "reconcile",
    "verify": "reconcile",
    "check": "doctor",
    "settings": "config",
    "delete": "erase",
    "forget": "erase",
    "tables": "lake tables",
    "version": "--version",
}
"""What people type for a command that has another name."""

_NOT_ONE_OF = re.compile(r"^Value error, (?P<word>.+) is not one of (?P<known>.+)\.$")


class Command(TyperCommand):
    """A command whose help shows only types that say something."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, without types that say nothing."""
        return _without_noise(super().get_params(ctx))


class CommandGroup(TyperGroup):
    """A group of commands that explains a mistake in one line, with the nearest right word."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, without types that say nothing."""
        return _without_noise(super().get_params(ctx))

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the words before the command; raise MisuseError for a mistake."""
        with _explain_mistakes():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words before the command; print the help and exit if there are none at all."""
        if not args and not self.invoke_without_command:
            typer.echo(ctx.get_help(), nl=False)
            raise typer.Exit(MisuseError.exit_code)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that a word names; raise MisuseError if there is none."""
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            known = [name for name, command in self.commands.items() if not command.hidden]
            what = f'No such command "{ctx.command_path} {word}".'
            raise MisuseError(what, self._suggest(word, known))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raise MisuseError for a mistake in its words."""
        with _explain_mistakes():
            return super().invoke(ctx)

    def _suggest(self, word: str, known: list[str]) -> str:
        elsewhere = _ELSEWHERE.get(word.casefold(), "")
        if elsewhere.split(" ")[0] in {*known, "--version"}:
            return f'Did you mean "{elsewhere}"?'
        return suggest_known(word, known, "commands")


@contextmanager
def _explain_mistakes() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "crossfade"
        what, cure = _explain(error)
        raise MisuseError(what, f'{cure} See "{path} --help".'.strip()) from None


def _explain(error: typer.TyperException) -> tuple[str, str]:
    """Return what is wrong, and the nearest right word if a word is misspelt."""
    if hasattr(error, "possibilities"):
        near = [f'Did you mean "{one}"?' for one in error.possibilities or ()]
        return f'No such option "{getattr(error, "option_name", "")}".', "".join(near[:1])
    if (choice := _NOT_ONE_OF.match(error.message)) is not None:
        word = str(ast.literal_eval(choice["word"]))
        known = [str(one) for one in ast.literal_eval(f"({choice['known']},)")]
        return f'"{word}" is not one of {", ".join(known)}.', suggest_nearest(word, known)
    message = " ".join(error.format_message().split())
    return f"{message.rstrip('.')}.", ""


def _without_noise(params: list[Any]) -> list[Any]:
    """Hide the types of flags, and of arguments whose name and help are enough."""
    for one in params:
        if getattr(one, "is_flag", False):
            one.metavar = ""
        elif one.param_type_name == "argument" and not one.type_descriptor.is_choice:
            one.display_type_rich = _show_no_type
    return params


def _show_no_type(ctx: object) -> None:  # noqa: ARG001 - the name is Typer's
    return None
