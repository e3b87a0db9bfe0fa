"""Options that several commands share, and how their values are read."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from config.ftp_settings import MAX_PRIVATE_KEY
from worker.core import Core

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")


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


AccountId = Annotated[str, typer.Argument(metavar="ID", help="The account.")]
OfAccount = Annotated[
    str | None, typer.Option("--account", metavar="ID", help="Only of this account.")
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
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


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
