"""`courier secrets`."""

import typer
from cryptography.fernet import Fernet

from config.audit import Action
from config.secrets import Vault
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.record import record
from worker.cli.refusal import Refused

app = command_group()


@app.command()
def generate() -> None:
    """Print a new key for COURIER_SECRET_KEYS.

    To change keys put the new one first and keep the old ones behind it: the first encrypts, all
    decrypt. Once every process has both, 'courier secrets rotate' frees you of the old ones.
    """
    typer.echo(Fernet.generate_key().decode())


@app.command()
def rotate() -> None:
    """Encrypt every stored password and private key with the first key of COURIER_SECRET_KEYS.

    Safe while the service runs, and safe to repeat. Afterwards the other keys are not needed,
    unless a secret could not be read: then its account is named, and left as it is.
    """
    with context.core() as core:
        rotation = core.directory.rotate(Vault(core.settings.secret_keys))
        facts = {"rotated": rotation.rotated, "unreadable": len(rotation.unreadable)}
        record(core, Action.SECRETS_ROTATED, None, {}, facts)
    output.say(f"{_secrets(rotation.rotated)} rotated, {len(rotation.unreadable)} unreadable.")
    if rotation.unreadable:
        raise Refused(
            f"No key in COURIER_SECRET_KEYS can read what is stored for "
            f"{', '.join(rotation.unreadable)}: add the key it was stored with and rotate again, "
            "or save the account's password or private key again."
        )


def _secrets(count: int) -> str:
    return "1 stored secret" if count == 1 else f"{count} stored secrets"
