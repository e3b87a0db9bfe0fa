"""Rate limits of the console, in the memory of the one process that serves it.

They are token buckets: a burst at once, then one more in a fixed time. Limits that guard tenants
against each other do not apply to the service provider.
"""

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from config.accounts import Find, lineage
from config.errors import AccountError
from config.permissions import Principal
from config.signins import address_key
from worker.console.language import mark as N_

MAX_KEYS = 20_000
"""Most keys that are counted at once; the one that was seen longest ago is forgotten first."""


class TooManyRequests(Exception):
    """The request may be repeated after `seconds`. The text says so."""

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = max(1, math.ceil(seconds))


@dataclass(frozen=True)
class Rate:
    """`burst` at once, then one each `seconds`."""

    burst: int
    seconds: float


OF_TOKEN = Rate(burst=200, seconds=1 / 20)
"""Requests of one token to the API."""
OF_ACCOUNT = Rate(burst=600, seconds=1 / 60)
"""Requests of all tokens of one account together."""
TRY_NOW = Rate(burst=5, seconds=12)
"""Uses of "try now" for one account: it protects the account's server."""
TRY_NOW_TREE = Rate(burst=20, seconds=3)
"""Uses of "try now" for a top account with everything beneath it."""
SETTINGS_TESTS = Rate(burst=20, seconds=6)
"""Tests of settings beneath one top account: a test connects to any host that is named."""
ALERTS = Rate(burst=20, seconds=6)
"""Changes of alert addresses beneath one top account: each may write to those taken out."""
KEYS = Rate(burst=10, seconds=30)
"""Keys generated or imported beneath one top account: each costs the processor up to seconds."""
TAKEN_LOGINS = Rate(burst=10, seconds=360)
"""Logins that an account may find taken: it must not learn who else is here."""
PASSWORD_SOURCE = Rate(burst=10, seconds=360)
"""Links to a new password that are asked for from one source."""
PASSWORD_LINKS = Rate(burst=200, seconds=2)
"""Such links from all sources together: each is stored, also for a login that does not exist."""
PASSWORD_MAILS = Rate(burst=3, seconds=3600)
"""E-mails with such links to one login."""


class Buckets:
    """The buckets of one limit, by key. Callable from any thread."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """The time at which each key's bucket is full again."""

    def wait(self, key: str, now: float | None = None) -> float:
        """Seconds until one more fits; 0 where it does. Takes nothing."""
        with self._lock:
            return self._wait(key, time.monotonic() if now is None else now)

    def take(self, key: str, now: float | None = None) -> float:
        """The same, and takes one where it fits."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            wait = self._wait(key, moment)
            if wait == 0:
                full_at = max(moment, self._free_at.get(key, moment))
                self._free_at[key] = full_at + self._rate.seconds
                self._free_at.move_to_end(key)
                if len(self._free_at) > MAX_KEYS:
                    self._free_at.popitem(last=False)
            return wait

    def _wait(self, key: str, moment: float) -> float:
        used = self._free_at.get(key, moment) - moment
        return max(0.0, used - (self._rate.burst - 1) * self._rate.seconds)


class Limits:
    """What the console counts. `find` looks accounts up."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._tokens = Buckets(OF_TOKEN)
        self._accounts = Buckets(OF_ACCOUNT)
        self._tries = Buckets(TRY_NOW)
        self._tree_tries = Buckets(TRY_NOW_TREE)
        self._tests = Buckets(SETTINGS_TESTS)
        self._keys = Buckets(KEYS)
        self._alerts = Buckets(ALERTS)
        self._taken = Buckets(TAKEN_LOGINS)
        self._password_sources = Buckets(PASSWORD_SOURCE)
        self._password_links = Buckets(PASSWORD_LINKS)
        self._password_mails = Buckets(PASSWORD_MAILS)

    def request(self, principal: Principal) -> None:
        """One request to the API. Raises TooManyRequests."""
        sentence = N_(
            "Too many requests: wait as long as Retry-After says, then go on more slowly."
        )
        _enforce(self._tokens.take(principal.login), sentence)
        if principal.account_id is not None:
            _enforce(self._accounts.take(principal.account_id), sentence)

    def try_now(self, principal: Principal, account_id: str) -> None:
        """One "try now" of the account. Raises TooManyRequests."""
        if principal.is_provider:
            return
        sentence = N_(
            "The account was tried several times just now: look at the result, wait a minute."
        )
        _enforce(self._tries.take(account_id), sentence)
        _enforce(self._tree_tries.take(top_of(account_id, self._find)), sentence)

    def test(self, principal: Principal, top: str) -> None:
        """One test of settings beneath the top account. Raises TooManyRequests."""
        if not principal.is_provider:
            sentence = N_(
                "Settings were tested many times just now: wait a minute, then try again."
            )
            _enforce(self._tests.take(top), sentence)

    def key(self, principal: Principal, account_id: str) -> None:
        """One key generated or imported for the account. Raises TooManyRequests."""
        if not principal.is_provider:
            sentence = N_("Many keys were made just now: wait a minute, then try again.")
            _enforce(self._keys.take(top_of(account_id, self._find)), sentence)

    def alerts(self, principal: Principal, account_id: str) -> None:
        """One change of the account's alert addresses. Raises TooManyRequests."""
        if not principal.is_provider:
            sentence = N_("Alerts were changed many times just now: wait a minute, then try again.")
            _enforce(self._alerts.take(top_of(account_id, self._find)), sentence)

    def ask_for_password(self, address: str) -> None:
        """One link to a new password asked for from the address. Raises TooManyRequests."""
        sentence = N_(
            "Links were asked for many times from here: wait a few minutes, then try again."
        )
        _enforce(self._password_sources.take(address_key(address)), sentence)
        sentence = N_("Many people ask for links at this moment: wait a minute, then try again.")
        _enforce(self._password_links.take(""), sentence)

    def may_mail_password(self, login: str) -> bool:
        """Whether the login may get one more such e-mail, and count it. Nobody is told."""
        key = sha256(login.strip().lower().encode(errors="replace")).hexdigest()
        return self._password_mails.take(key) == 0

    def may_create_user(self, principal: Principal) -> None:
        """Raises TooManyRequests where the account has found many logins taken."""
        if principal.account_id is not None:
            sentence = N_(
                "Too many logins that are taken were tried: wait, then choose another one."
            )
            _enforce(self._taken.wait(principal.account_id), sentence)

    def taken_login(self, principal: Principal) -> None:
        """Count that the account has found a login taken."""
        if principal.account_id is not None:
            self._taken.take(principal.account_id)


def top_of(account_id: str, find: Find) -> str:
    """The top account of the account's tree; the account itself where nothing is above it."""
    account = find(account_id)
    if account is None:
        return account_id
    try:
        *_, top = lineage(account, find)
    except AccountError:  # its chain is broken: it counts alone
        return account_id
    return top.account_id


def _enforce(wait: float, sentence: str) -> None:
    if wait > 0:
        raise TooManyRequests(sentence, wait)
