"""Makes the typer apps, so that all commands look the same in the help."""

import re
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, Literal, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from worker.cli.examples import examples_of

Function = TypeVar("Function", bound=Callable[..., Any])
_ROOM = 24
"""Cells for an option's names and what it takes, of the 80 that most terminals have."""
MARKUP: Literal["markdown"] = "markdown"


class Command(TyperCommand):
    """A command whose help ends with examples."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters, as the help shows them."""
        return without_flag_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help, with the examples behind it."""
        TyperCommand.format_help(_for_help(self, ctx), ctx, formatter)
        typer.echo(examples_of(ctx.command_path), nl=False)


class Group(TyperGroup):
    """Several commands; the help ends with examples."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters, as the help shows them."""
        return without_flag_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help, with the examples behind it."""
        TyperGroup.format_help(_for_help(self, ctx), ctx, formatter)
        typer.echo(examples_of(ctx.command_path), nl=False)


class Commands(typer.Typer):
    """A typer app of such commands."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """As typer's, but with examples in the help."""
        return super().command(name, **{"cls": Command, **options})


def _for_help(command: Any, ctx: Any) -> Any:
    """The command, with each option's names beneath one another, and what it takes behind them.

    In columns of their own, names were cut where the terminal has 80 columns.
    """
    shown = copy(command)
    shown.params = [
        _in_one_column(each, ctx) if isinstance(each, TyperOption) else each
        for each in without_flag_types(command.params)
    ]
    return shown


def _in_one_column(option: Any, ctx: Any) -> Any:
    names = [*option.opts, *option.secondary_opts]
    value = option.display_type_rich(ctx=ctx) or ""
    lines = [f"{each}," for each in names[:-1]]
    if len(last := f"{names[-1]} {value}".rstrip()) <= _ROOM:
        lines.append(last)
    else:
        lines += [names[-1], *_broken(value)]
    shown = copy(option)
    shown.opts, shown.secondary_opts, shown.metavar = ["\n".join(lines)], [], ""
    return shown


def _broken(value: str) -> Iterator[str]:
    """The words to choose from, on as many lines as they need."""
    line = "  "
    for word in re.findall(r"[^|]+\|?", value):
        if len(line + word) > _ROOM and line.strip():
            yield line
            line = "  "
        line += word
    if line.strip():
        yield line


def without_flag_types(parameters: Any) -> Any:
    """The parameters; of those that take no value the help tells no type."""
    for each in parameters:
        if getattr(each, "is_flag", False) and each.metavar is None:
            each.metavar = ""
    return parameters


def command_group() -> typer.Typer:
    """Several commands under one name."""
    group = Commands(
        cls=Group,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=MARKUP,
    )
    group.callback()(_nothing)  # a group of one command stays a group
    return group


def single_command() -> typer.Typer:
    """One command that stands for itself."""
    return Commands(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=MARKUP)


def completing() -> typer.Typer:
    """An app without commands that Typer answers shells for, which `courier` does by itself: it
    would have options for that beside its own."""
    asked = typer.Typer(add_completion=True)
    asked.command()(_nothing)
    return asked


def _nothing() -> None: ...
