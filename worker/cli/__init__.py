"""The console script `courier`: a module for each group of commands, loaded when it is used."""

import gc
import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from worker.cli.apps import MARKUP, Group, completing

# pydantic would look through all packages that are installed for plugins of its own.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# pymongo would load the library of certificates for pyOpenSSL, which Courier does without.
sys.modules.setdefault("pymongo.pyopenssl_context", None)  # type: ignore[arg-type]

COMPLETING = "_COURIER_COMPLETE"
"""Set where a shell asks how a command goes on."""
GROUPS = {
    "run": "Deliver recordings until Ctrl-C or SIGTERM.",
    "exporter": "Serve the platform's metrics alone, without doing its work.",
    "check": "Are RabbitMQ, MongoDB, SMTP and the keys reachable and usable?",
    "status": "The platform in a few numbers.",
    "top": "What goes on, live: rates, slots, busiest and oldest accounts.",
    "queue": "The shape of what waits: which account, how long, and why.",
    "trace": "What is said to an account's server, live.",
    "accounts": "Customers, their FTP settings and their state.",
    "numbers": "Telephone numbers and where their recordings go.",
    "publish": "Publish recordings as the pipeline does.",
    "deliveries": "What became of each recording.",
    "dead-letters": "Recordings that used up their tries.",
    "invalid": "Events that could not be used.",
    "schema": "Print the JSON Schema of the event, or an AsyncAPI document.",
    "audit": "Who changed what, in sentences.",
    "users": "Who may sign in to the web console.",
    "tokens": "What programs authorize themselves with at the API.",
    "secrets": "Keys for the stored passwords.",
    "completion": "Print what has a shell complete commands and options.",
}


class Root(Group):
    """Knows the commands by name, and answers every error with one sentence."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        return list(GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature
        """The command as the help lists it."""
        if cmd_name not in GROUPS:
            return None
        return TyperCommand(cmd_name, help=GROUPS[cmd_name], rich_markup_mode=MARKUP)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, with the modules it needs; None where a shell asks for another."""
        self.commands = {  # "Did you mean" looks for names here
            each: self.get_command(ctx, each) for each in GROUPS
        }
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if found is None else load(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:  # noqa: BLE001 - no traceback ever reaches a user
            from worker.cli.errors import explain  # noqa: PLC0415 - it knows every library

            raise typer.Exit(explain(error)) from None


app = typer.Typer(
    cls=Root,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - it is slow, and asked for seldom

        typer.echo(f"courier {version('courier')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Deliver call recordings from RabbitMQ to customers' FTP and SFTP servers.

    Settings come from the environment, **COURIER_...**, or from a file **.env**.
    """


def main() -> None:
    """The console script."""
    logging.getLogger().addHandler(logging.NullHandler())  # what libraries log is no answer
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if COMPLETING in os.environ:
        get_command(completing())  # Typer gets to know the shells by it
    app(prog_name="courier")


def load(name: str) -> Any:
    """The command of this name, whole."""
    gc.disable()  # nothing of what is loaded is garbage, and looking for some takes a tenth longer
    commands: typer.Typer = import_module(f"worker.cli.{name.replace('-', '_')}").app
    gc.freeze()
    gc.enable()
    command = get_command(commands)
    command.name = name
    command.help = command.help or GROUPS[name]
    return command
