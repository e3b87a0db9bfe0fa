"""Families of accounts, whole and broken, for the tests of the permission rules."""

from collections.abc import Iterable, Iterator

from hypothesis import strategies as st

from config.accounts import Account

Family = dict[str, Account]
NAMES = "abcdefgh"


def family(granted: Iterable[str] | None = None, **parents: str | None) -> Family:
    """Accounts by name; all have FTP access unless those that do are named."""
    return {
        name: Account(
            account_id=name, parent=parent, ftp_access=granted is None or name in set(granted)
        )
        for name, parent in parents.items()
    }


def children_of(accounts: Family, names: Iterable[str]) -> Iterator[Account]:
    """The accounts whose parent is one of those named, as the directory finds them."""
    wanted = set(names)
    return (each for each in accounts.values() if each.parent in wanted)


@st.composite
def forests(draw: st.DrawFn) -> Family:
    """Whole families: every parent exists, and nobody is its own ancestor."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    parents = {
        name: draw(st.one_of(st.none(), st.sampled_from(names[:index]))) if index else None
        for index, name in enumerate(names)
    }
    return family(draw(st.sets(st.sampled_from(names))), **parents)


@st.composite
def anything(draw: st.DrawFn) -> Family:
    """Families with circles and parents that do not exist, too."""
    names = st.sampled_from(NAMES)
    parents = draw(st.dictionaries(names, st.one_of(st.none(), names), min_size=1))
    return family(draw(st.sets(names)), **parents)
