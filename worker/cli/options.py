"""Options that several commands share, and how their values are read."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pymongo
import typer
from pydantic import SecretStr

from config.fields import declared
from config.ftp_settings import MAX_PRIVATE_KEY
from worker.database import Core

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
COMPLETION_SECONDS = 2.0
"""How long the ids of accounts may be looked for while somebody waits for the shell."""
COMPLETED = 50
MAX_LIMIT = 1_000_000
MOST_LISTED = 500
"""Of what a platform has thousands of; more than a person reads."""
MAX_SECONDS = 7 * 24 * 3600.0
"""Nobody waits or listens for longer than a week."""
_BETWEEN_WORDS = re.compile(r"[\s_-]+")

Value = TypeVar("Value")


def moment(value: str) -> datetime:
    """A time from ISO 8601 (UTC where it names no offset), or so long ago: `2h`, `3d`.

    Raises typer.BadParameter.
    """
    try:
        if found := _DURATION.fullmatch(value.strip()):
            return datetime.now(UTC) - int(found[1]) * _UNITS[found[2]]
        given = datetime.fromisoformat(value.strip())
        aware = given if given.tzinfo else given.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{value!r} is neither a time, such as 2026-11-23 or 2026-11-23T14:05:00Z, "
            "nor so long ago, such as 90s, 15m, 2h or 3d."
        ) from None


def filled(given: str) -> str:
    """A text that narrows a choice: an empty one, such as of a variable that is not set, would be
    everything. Raises typer.BadParameter."""
    if not given.strip():
        raise typer.BadParameter("it is empty: give it a value, or leave the option out.")
    return given


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Raises typer.BadParameter where no time lies between the two."""
    if since is not None and until is not None and until <= since:
        raise typer.BadParameter("--until must be later than --since: change one of them.")


def up_to(limit: int, found: Iterable[Value]) -> tuple[list[Value], bool]:
    """So many of them, with 0 all; and whether there are more."""
    rows = list(islice(found, one_more(limit) or None))
    is_cut = bool(limit) and len(rows) > limit
    return rows[: limit or None], is_cut


def one_more(limit: int) -> int:
    """How many to read, so that it is seen whether there are more; 0 for all."""
    return limit + 1 if limit else 0


def one_of(
    named: Mapping[str, Value], refused: Mapping[str, str] | None = None
) -> Callable[[str], Value]:
    """A parser of these words, however they are spelled: `Dead letter` is `dead-letter`.

    `refused`: what is said of words that could mean several. It raises typer.BadParameter.
    """
    words = {_bare(word): word for word in named}

    def parse(given: str) -> Value:
        bare = _bare(given)
        if bare in words:
            return named[words[bare]]
        if refused and bare in refused:
            raise typer.BadParameter(refused[bare])
        close = [words[each] for each in get_close_matches(bare, words)]
        meant = f" Did you mean {', '.join(map(repr, close))}?" if close else ""
        raise typer.BadParameter(f"{given!r} is none of {', '.join(named)}.{meant}")

    return parse


def choice(
    words: Mapping[str, Value],
    *flags: str,
    help: str,  # noqa: A002 - typer's word
    refused: Mapping[str, str] | None = None,
) -> Any:
    """An option that takes one of these words; the shell completes them."""
    return typer.Option(
        *flags,
        metavar="|".join(words),
        parser=one_of(words, refused),
        autocompletion=lambda: list(words),
        help=help,
    )


def _bare(word: str) -> str:
    return _BETWEEN_WORDS.sub("-", word.strip().lower())


def account_ids(incomplete: str) -> list[str]:
    """The ids of accounts that begin so, for a shell: it hears nothing of what goes wrong."""
    from worker.cli import context  # noqa: PLC0415 - it connects, which most options need not

    with suppress(Exception), pymongo.timeout(COMPLETION_SECONDS), context.core() as core:
        return [*core.directory.ids(incomplete, COMPLETED)]
    return []


AccountId = Annotated[
    str, typer.Argument(metavar="ID", help="The account.", autocompletion=account_ids)
]
OfAccount = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="ID",
        parser=filled,
        help="Only of this account.",
        autocompletion=account_ids,
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", metavar="TIME", parser=moment, help="Arrived at or after: ISO 8601, or 2h, 3d."
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="TIME", parser=moment, help="Arrived before."),
]
Limit = Annotated[int, typer.Option(min=0, max=MAX_LIMIT, help="At most so many; 0 for all.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def field_option(name: str, *flags: str, also: str = "", metavar: str | None = None) -> Any:
    """The option of a field of the settings, with the help of its declaration."""
    return typer.Option(*flags, metavar=metavar, help=f"{declared(name).help} {also}".rstrip())


def line_of_stdin() -> SecretStr:
    """A secret that stands on one line of standard input."""
    return SecretStr(sys.stdin.readline().rstrip("\r\n"))


def key_file(path: Path) -> SecretStr:
    """What a private key's file holds; no more of it than a key has. Raises OSError."""
    return SecretStr(text_file(path, MAX_PRIVATE_KEY))


def text_file(path: Path, most: int) -> str:
    """The file's text, no more than so many bytes of it. Raises OSError."""
    with path.open("rb") as file:
        return file.read(most).decode("utf-8", "replace")


def require_account(core: Core, account_id: str | None) -> None:
    """Raises UnknownAccount where a filter names an account that does not exist."""
    if account_id is not None:
        core.directory.get(account_id)
