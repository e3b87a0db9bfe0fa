"""Asks the stores of recordings that the settings name whether they answer and take our login."""

import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import quote

from config.errors import SettingsError
from config.settings import Settings
from transports.base import Limits
from transports.errors import SourceMissing, TransferError
from transports.sources.object_urls import SCHEMES
from transports.sources.source import remote
from transports.sources.stores import Reach
from worker.core import egress, stores

LIMITS = Limits(resolve=5, connect=5, reply=5, stall=5)
_UNAUTHORIZED = 401


class StoreCheck(NamedTuple):
    """A store, and what is wrong with it; nothing where it is usable."""

    name: str
    problem: str | None


def check_library(settings: Settings) -> None:
    """Raises SettingsError where stores are set and what reads from them is missing."""
    buckets = stores(settings).buckets
    missing = [
        f"{named.setting} is set, but {named.package} is not installed: install {named.extra}, or "
        "remove the setting."
        for scheme, named in SCHEMES.items()
        if buckets[scheme] and find_spec(named.package) is None
    ]
    if missing:
        raise SettingsError(missing)


def check_stores(settings: Settings) -> Iterator[StoreCheck]:
    """Each host that has a login, each bucket and container. Raises SettingsError."""
    check_library(settings)
    reach = Reach(0, egress(settings), LIMITS, stores(settings))
    for authority in reach.stores.logins:
        yield StoreCheck(authority, _host_problem(authority, reach))
    for scheme, buckets in reach.stores.buckets.items():
        for each in buckets:
            url = f"{scheme}://{each.name}/{quote(each.prefix)}"
            yield StoreCheck(f"{scheme}://{each.name}/{each.prefix}", _bucket_problem(url, reach))


def _host_problem(authority: str, reach: Reach) -> str | None:
    """Whatever the host says of its first page but that it does not know us is fine."""
    from transports.sources import http  # noqa: PLC0415 - only where it is used

    header = ("Authorization", reach.stores.logins[authority].get_secret_value())
    try:
        answer = http.ask(http.place_of(f"https://{authority}/", "https"), [header], reach)
    except TransferError as failure:
        return failure.words
    answer.close()
    is_refused = answer.status in {_UNAUTHORIZED, *http.PASSING}
    return answer.words if is_refused else None


def _bucket_problem(folder: str, reach: Reach) -> str | None:
    """An object that is not there is what a readable bucket tells of one that nobody has stored."""
    try:
        with remote(f"{folder}courier-check-{uuid.uuid4()}", reach):
            return None
    except SourceMissing:
        return None
    except TransferError as failure:
        return failure.words
