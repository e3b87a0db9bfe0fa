"""`courier accounts key`."""

from pathlib import Path
from typing import Annotated

import typer

from config.accounts import Account
from config.errors import FieldRefused
from config.ssh_keys import KeyType
from worker.account_keys import discard_key, generate_key, import_key
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import AccountId, key_file, line_of_stdin
from worker.cli.output import AsJson
from worker.cli.record import actor
from worker.cli.refusal import Refused
from worker.show import keys_shape

app = command_group()


@app.command("generate")
def generate(
    account_id: AccountId,
    *,
    kind: Annotated[
        KeyType,
        typer.Option("--type", help="The others are for old servers that do not take the first."),
    ] = KeyType.ED25519,
    as_json: AsJson = False,
) -> None:
    """Make a key pair for the account, and print its public half.

    Put it on the server. The next 'courier accounts set' with a logon type by key tests it; until
    that has logged in the account's former key stays in use.
    """
    with context.core() as core:
        generate_key(core, account_id, kind, actor=actor())
        _tell_new(core.directory.get(account_id), as_json=as_json)


@app.command("import")
def take(
    account_id: AccountId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A private key, OpenSSH or PEM.")],
    *,
    passphrase_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="The key's, from the first line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a key pair of the customer's own, and print its public half.

    It is used as one that was made by 'generate' is.
    """
    passphrase = line_of_stdin() if passphrase_stdin else None
    with context.core() as core:
        try:
            import_key(core, account_id, key_file(file), passphrase, actor=actor())
        except FieldRefused as error:
            how = " Give it with --passphrase-stdin." if error.field == "passphrase" else ""
            raise Refused(f"{error}{how}") from None
        _tell_new(core.directory.get(account_id), as_json=as_json)


@app.command("show")
def show(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Show the public halves of the account's key and of a new one that waits for its test."""
    with context.core() as core:
        account = core.directory.get(account_id)
    if as_json:
        output.print_json(keys_shape(account))
        return
    if account.key is None and account.pending_key is None:
        output.note(f"{account_id} has no key: 'courier accounts key generate' makes one.")
    for title, key in (("in use", account.key), ("new, not in use yet", account.pending_key)):
        if key is not None:
            output.print_page([(title, key.fingerprint)])
            output.say(key.line)


@app.command("discard")
def discard(account_id: AccountId) -> None:
    """Forget a new key that waits for its test; the one in use stays."""
    with context.core() as core:
        discard_key(core, account_id, actor=actor())
    output.say(f"The new key of {account_id} is forgotten.")


def _tell_new(account: Account, *, as_json: bool) -> None:
    if as_json:
        output.print_json(keys_shape(account))
        return
    if account.pending_key is not None:
        output.say(account.pending_key.line)
    output.note(
        "Put this line into ~/.ssh/authorized_keys of the user at the server, then "
        f"'courier accounts set {account.account_id} --logon-type key' tests the key and uses it."
    )
