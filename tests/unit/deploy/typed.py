"""Commands of the program, as the pages for operators have them typed."""

import shlex

import typer

from worker.cli import load


def check_is_one(line: str) -> None:
    """Raises the error of a command that could not be given so."""
    _, name, *arguments = shlex.split(line)
    command, context = load(name), None
    while hasattr(command, "commands"):
        context = typer.Context(command, parent=context)
        command = command.commands[arguments.pop(0)]
    assert command.make_context(command.name, arguments, parent=context).command is command
