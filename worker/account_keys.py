"""Makes, takes and discards the keys of accounts; each act is noted in the audit."""

from pydantic import SecretStr

from config.account_keys import AccountKeys
from config.audit import Action, Audit
from config.private_keys import read_private_key
from config.public_keys import PublicKey
from config.secrets import Vault
from config.ssh_keys import KeyPair, KeyType, comment_of, generated
from worker.database import Core


def generate_key(core: Core, account_id: str, kind: KeyType, *, actor: str) -> None:
    """A new key for the account, which waits for the test on save.

    Raises UnknownAccount, SecretError.
    """
    core.directory.get(account_id)
    key = generated(kind, comment_of(core.settings.platform_name, account_id))
    _propose(core, account_id, key, Action.KEY_GENERATED, actor)


def import_key(
    core: Core, account_id: str, text: SecretStr, passphrase: SecretStr | None, *, actor: str
) -> None:
    """The same with a key that the customer has. Raises FieldRefused as well."""
    core.directory.get(account_id)
    comment = comment_of(core.settings.platform_name, account_id)
    key = read_private_key(text, passphrase, comment)
    _propose(core, account_id, key, Action.KEY_IMPORTED, actor)


def discard_key(core: Core, account_id: str, *, actor: str) -> None:
    """Forget the key that waits; the account's own stays. Raises AccountError where none waits."""
    waiting = core.directory.get(account_id).pending_key
    _keys(core).discard(account_id)
    _note(core, actor, Action.KEY_DISCARDED, account_id, waiting, None)


def _propose(core: Core, account_id: str, key: KeyPair, action: Action, actor: str) -> None:
    waiting = core.directory.get(account_id).pending_key
    _keys(core).propose(account_id, key)
    _note(core, actor, action, account_id, waiting, key.public)


def _note(
    core: Core,
    actor: str,
    action: Action,
    account_id: str,
    before: PublicKey | None,
    after: PublicKey | None,
) -> None:
    facts = [{"new_key": each.fingerprint} if each else {} for each in (before, after)]
    Audit(core.database).record(actor, action, account_id, *facts)


def _keys(core: Core) -> AccountKeys:
    return AccountKeys(core.database, Vault(core.settings.secret_keys))
