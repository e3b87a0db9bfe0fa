"""`courier secrets`."""

import typer
from cryptography.fernet import Fernet

from config.audit import Action
from config.factors import Factors
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
    """Encrypt every stored password, private key and second factor with the first key of
    COURIER_SECRET_KEYS.

    Safe while the service runs, and safe to repeat. Afterwards the other keys are not needed,
    unless a secret could not be read: then its account or user is named, and left as it is.
    """
    with context.core() as core:
        vault = Vault(core.settings.secret_keys)
        of_accounts = core.directory.rotate(vault)
        of_users = Factors(core.database, vault).rotate(vault)
        rotated = of_accounts.rotated + of_users.rotated
        unreadable = (*of_accounts.unreadable, *of_users.unreadable)
        facts = {"rotated": rotated, "unreadable": len(unreadable)}
        record(core, Action.SECRETS_ROTATED, None, {}, facts)
    output.say(f"{_secrets(rotated)} rotated, {len(unreadable)} unreadable.")
    if unreadable:
        raise Refused(
            f"No key in COURIER_SECRET_KEYS can read what is stored for "
            f"{', '.join(unreadable)}: add the key it was stored with and rotate again, "
            "save the account's password or private key again, or reset the user's second factor."
        )


def _secrets(count: int) -> str:
    return "1 stored secret" if count == 1 else f"{count} stored secrets"
