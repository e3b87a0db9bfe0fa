"""Who may do what with which account. Pure: no I/O, no clock.

The rules of the FTP permission: the service provider grants it to an account; an account that has
it may pass it on to the accounts beneath it. `config.accounts.may_use_ftp`
tells what follows from it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from config.accounts import Account, Find, lineage, may_use_ftp
from config.errors import AccountError


@dataclass(frozen=True)
class Principal:
    """A user or a token that asks: of an account or, without one, of the service provider."""

    login: str
    account_id: str | None
    read_only: bool = False
    """True where it may only look."""
    session_id: str | None = field(default=None, compare=False)
    """The id of the console session that it acts through, if any."""
    language: str = field(default="", compare=False)
    """The code of the language that it has chosen to read; empty where it has chosen none."""

    @property
    def is_provider(self) -> bool:
        """Whether it is the service provider."""
        return self.account_id is None

    def may_see(self, account_id: str, find: Find) -> bool:
        """Whether the account may be shown: the principal's own or one beneath it.

        The service provider may see every account, a user none that does not exist.
        """
        if self.account_id is None:
            return True
        account = find(account_id)
        if account is None:
            return False
        return account_id == self.account_id or is_beneath(account, self.account_id, find)

    def may_change(self, account_id: str, find: Find) -> bool:
        """Whether the account's FTP settings, numbers and deliveries may be changed.

        A user may change what it sees, as long as the account has the FTP permission; one that may
        only look, nothing.
        """
        if self.read_only:
            return False
        if self.account_id is None:
            return True
        account = find(account_id)
        return account is not None and self.may_see(account_id, find) and may_use_ftp(account, find)

    def may_grant(self, account_id: str, find: Find) -> bool:
        """Whether it may grant or revoke the account's "FTP Access".

        The service provider any account's; a user that of accounts strictly beneath its own, and
        only while its own has the permission.
        """
        if self.read_only:
            return False
        if self.account_id is None:
            return True
        account, own = find(account_id), find(self.account_id)
        if account is None or own is None:
            return False
        return is_beneath(account, self.account_id, find) and may_use_ftp(own, find)


def is_beneath(account: Account, above: str, find: Find) -> bool:
    """Whether the account hangs, directly or not, on the account `above`; never on itself.

    An account whose chain of parents is broken or runs in a circle is beneath none.
    """
    try:
        chain = [each.account_id for each in lineage(account, find)]
    except AccountError:
        return False
    return above in chain[1:]


def descendants(
    account_id: str, children: Callable[[Iterable[str]], Iterable[Account]]
) -> Iterator[Account]:
    """Everything beneath an account, level by level, each account once.

    `children` gives the accounts whose parent is one of those named.
    """
    seen = {account_id}
    level = [account_id]
    while level:
        beneath = [each for each in children(level) if each.account_id not in seen]
        yield from beneath
        level = [each.account_id for each in beneath]
        seen.update(level)


def check_grant(account: Account, find: Find) -> None:
    """Raises AccountError where the account above has no permission that could be passed on."""
    if account.parent is None:
        return
    above = find(account.parent)
    if above is None:
        raise AccountError(f"The parent account {account.parent!r} does not exist.")
    if not may_use_ftp(above, find):
        raise AccountError(
            f"The parent account {account.parent!r} has no FTP access to pass on: "
            f"grant it to {account.parent!r} first."
        )


def check_move(account: Account, new_parent: str | None, find: Find) -> None:
    """Raises AccountError where the account cannot hang on this parent; None is the top.

    Refused are a parent that does not exist, the account itself, an account beneath it, and a
    parent whose own chain is broken.
    """
    if new_parent is None:
        return
    parent = find(new_parent)
    if parent is None:
        raise AccountError(f"The parent account {new_parent!r} does not exist.")
    above = {each.account_id for each in lineage(parent, find)}
    if account.account_id in above:
        where = "itself" if new_parent == account.account_id else "an account beneath it"
        raise AccountError(
            f"The account {account.account_id!r} cannot be moved beneath {where}: "
            "choose a parent that does not hang on it."
        )
