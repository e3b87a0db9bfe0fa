"""`courier completion`."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli import COMPLETING
from worker.cli.apps import completing, single_command

app = single_command()


class Shell(StrEnum):
    """Shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")],
) -> None:
    """Print what has a shell complete commands, options, their words and the ids of accounts.

    Put the line of the examples for your shell into its start file.
    """
    os.environ[COMPLETING] = f"source_{shell}"
    try:
        completing()(prog_name="courier")
    finally:
        del os.environ[COMPLETING]
