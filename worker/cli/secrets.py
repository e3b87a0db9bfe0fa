"""`courier secrets`."""

import typer
from cryptography.fernet import Fernet

from worker.cli.apps import command_group

app = command_group()


@app.command()
def generate() -> None:
    """Print a new key for COURIER_SECRET_KEYS.

    To change keys put the new one first and keep the old ones behind it: the first encrypts, all
    decrypt.
    """
    typer.echo(Fernet.generate_key().decode())
