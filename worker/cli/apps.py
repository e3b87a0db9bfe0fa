"""Makes the typer apps, so that all commands look the same in the help."""

from typing import Literal

import typer

MARKUP: Literal["markdown"] = "markdown"


def command_group() -> typer.Typer:
    """Several commands under one name."""
    group = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=MARKUP,
    )
    group.callback()(_nothing)  # a group of one command stays a group
    return group


def single_command() -> typer.Typer:
    """One command that stands for itself."""
    return typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=MARKUP
    )


def _nothing() -> None: ...
