"""Asks RabbitMQ, MongoDB, SMTP and the keys themselves whether they are reachable and usable."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pymongo
from pydantic import SecretStr
from pymongo.errors import PyMongoError

from alerts import smtp
from config.errors import SecretError, SettingsError
from config.secrets import Vault
from config.settings import Settings
from consumers.amqp import rights
from consumers.amqp.connection import BrokerAway
from consumers.database_words import in_words
from consumers.ledger import Result
from consumers.observe import Observation
from consumers.sharding.presence import workers
from consumers.upkeep.canary import problem_of
from transports.base import Limits
from transports.errors import OutgoingFailed
from transports.network.dialing import check_proxy
from transports.network.egress import resolve_proxy
from worker import clocks, losing_policies, mongodb
from worker.core import Core, egress, make_messaging
from worker.outgoing import check_outgoing
from worker.risky_settings import risky_settings
from worker.store_checks import check_stores

SECONDS = 5.0
_LIMITS = Limits(resolve=SECONDS, connect=SECONDS)


Check = tuple[Callable[[Core], str], str]
"""What asks, and the advice where that fails."""


class Failed(Exception):
    """The check failed; its text says why."""


@dataclass(frozen=True)
class Checked:
    """The outcome of one check; `advice` says what to do where it failed, or warns."""

    name: str
    ok: bool
    detail: str
    advice: str | None = None
    warning: bool = False
    """True where it is usable, but may be open to more than the operator means."""


def run_checks(core: Core) -> Iterator[Checked]:
    """Each check in turn, as soon as it is done."""
    for name, (check, advice) in _wanted(core.settings).items():
        try:
            yield Checked(name, ok=True, detail=check(core))
        except Failed as failure:
            yield Checked(name, ok=False, detail=str(failure), advice=advice)
    yield from _policies(core)
    for each in risky_settings(core.settings):
        yield Checked(each.name, ok=True, detail=each.detail, advice=each.advice, warning=True)


def _wanted(settings: Settings) -> dict[str, Check]:
    """The checks of what is set."""
    checks = dict(_CHECKS)
    if settings.source_address or settings.outgoing_proxy:
        checks |= _OUTGOING
    if (
        settings.source_logins
        or settings.s3_buckets
        or settings.gs_buckets
        or settings.az_containers
    ):
        checks |= _STORES
    if settings.canary_account is not None:
        checks |= _CANARY
    return checks


def _rabbitmq(core: Core) -> str:
    """Declares what every start declares, and tries each right that the program needs."""
    broker = make_messaging(core, _unheard).broker
    broker.start()
    try:
        broker.wait_ready(SECONDS)
        refused = [each.words for each in rights.refusals(core.settings.rabbitmq)]
        broken = rights.broken_queues(core.settings.rabbitmq, _account_ids(core))
    except BrokerAway as error:
        raise Failed(f"{_place(core.settings.amqp_url)}: {error}") from None
    finally:
        broker.stop()
    refused += [f"{name}: {words}" for name, words in broken.items()]
    if refused:
        raise Failed("; ".join(dict.fromkeys(refused)))
    return f"{_place(core.settings.amqp_url)}, exchanges and queues stand, no right is missing"


def _policies(core: Core) -> Iterator[Checked]:
    """Warns of policies at RabbitMQ that would lose messages."""
    try:
        with pymongo.timeout(SECONDS):
            found = losing_policies.losing(core)
    except (BrokerAway, PyMongoError):
        return  # which their own checks complain of
    for words in found:
        yield Checked(
            "policies", ok=True, detail=words, advice=losing_policies.ADVICE, warning=True
        )


def _account_ids(core: Core) -> list[str]:
    try:
        with pymongo.timeout(SECONDS):
            return [account.account_id for account in core.directory.list()]
    except PyMongoError:
        return []  # which MongoDB's own check complains of


def _mongodb(core: Core) -> str:
    """Asks for a write that changes nothing, confirmed by the majority."""
    try:
        with pymongo.timeout(SECONDS):
            mongodb.ask(core.database)
            core.database["workers"].update_one({"_id": "check"}, {"$unset": {"check": ""}})
    except mongodb.NoReplicaSet:
        raise Failed("it is no replica set, so no write can be confirmed by a majority") from None
    except PyMongoError as error:
        raise Failed(in_words(error)) from None
    return f"{_place(core.settings.mongodb_url)}, writes are confirmed by the majority"


def _clock(core: Core) -> str:
    """Whether what goes by this machine's clock goes by the same time as the database."""
    try:
        ahead = clocks.difference(core.database, SECONDS)
    except PyMongoError:
        return "not known: MongoDB could not be asked"  # which MongoDB's own check complains of
    if clocks.is_far(ahead):
        raise Failed(f"this machine's is {clocks.in_words(ahead)}")
    return "within a minute of MongoDB's"


def _smtp(core: Core) -> str:
    try:
        smtp.check(core.settings.smtp)
    except smtp.DeliveryFailed as failure:
        raise Failed(failure.words) from None
    return _place(core.settings.smtp_url)


def _workers(core: Core) -> str:
    """The state that each running worker tells: starting, ready, degraded or stopping."""
    try:
        with pymongo.timeout(SECONDS):
            known = workers(core.database)
    except PyMongoError:
        return "not known: MongoDB could not be asked"  # which MongoDB's own check complains of
    states = Counter(each.state for each in known)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    if states["degraded"]:
        words = {each.words for each in known if each.state == "degraded" and each.words}
        raise Failed(": ".join([told, *sorted(words)]))
    return told or "none runs"


def _keys(core: Core) -> str:
    """Reads every stored password and key."""
    unreadable, read = [], 0
    try:
        Vault(core.settings.secret_keys).encrypt(SecretStr("a word"))
        with pymongo.timeout(SECONDS):
            stored = [each.account_id for each in core.directory.list() if each.settings]
        for account_id in stored:
            try:
                core.directory.credentials_of(core.directory.login(account_id))
                read += 1
            except SecretError:
                unreadable.append(account_id)
    except SecretError:
        raise Failed("COURIER_SECRET_KEYS is not set: no password can be stored") from None
    except PyMongoError as error:
        raise Failed(f"MongoDB could not be asked: {in_words(error)}") from None
    if unreadable:
        raise Failed(f"the logins of these cannot be read: {', '.join(unreadable)}")
    return f"{read} stored {'login' if read == 1 else 'logins'} can be read"


def _outgoing(core: Core) -> str:
    """Whether the platform's own way to customers' servers is open."""
    settings = core.settings
    try:
        check_outgoing(settings)
        for hop in resolve_proxy(egress(settings), _LIMITS):
            check_proxy([hop], _LIMITS)
    except SettingsError as error:
        raise Failed("; ".join(error.problems)) from None
    except OutgoingFailed as failure:
        raise Failed(failure.words) from None
    sources = ", ".join(map(str, settings.source_address))
    through = _place(settings.outgoing_proxy) if settings.outgoing_proxy else ""
    ways = [f"through {through}" if through else "", f"from {sources}" if sources else ""]
    return f"connections leave {' '.join(filter(None, ways))}"


def _canary(core: Core) -> str:
    """Whether the canary's account may be used, and how the canary's last run ended."""
    account_id = core.settings.canary_account or ""
    try:
        with pymongo.timeout(SECONDS):
            problem = problem_of(core.directory, account_id)
            status = core.ledger.canary.status(account_id)
    except PyMongoError as error:
        raise Failed(f"MongoDB could not be asked: {in_words(error)}") from None
    if problem is not None:
        raise Failed(problem)
    if status.result is None:
        return f"account {account_id!r} can be used; no run has ended yet"
    if status.result is not Result.OK:
        raise Failed(f"the last run of account {account_id!r} was {status.result}: {status.words}")
    return f"account {account_id!r}: the last run was ok and took {status.seconds or 0:.1f} s"


def _stores(core: Core) -> str:
    """Whether each store of recordings answers, and takes the login that is set for it."""
    try:
        found = [*check_stores(core.settings)]
    except SettingsError as error:
        raise Failed(str(error)) from None
    if problems := [f"{each.name}: {each.problem}" for each in found if each.problem]:
        raise Failed("; ".join(problems))
    return f"{', '.join(each.name for each in found)} can be read"


def _place(url: SecretStr) -> str:
    """The hosts and ports of a service's URL, without credentials."""
    parts = [urlsplit(each.strip()) for each in url.get_secret_value().split(";")]
    return ", ".join(each.netloc.rpartition("@")[2] for each in parts)


def _unheard(_observation: Observation) -> None:
    """A check needs no observations: its error carries the last words."""


_CHECKS: dict[str, Check] = {
    "RabbitMQ": (
        _rabbitmq,
        "start it, correct COURIER_AMQP_URL, or mend what it refuses: a right, or a queue.",
    ),
    "MongoDB": (_mongodb, "start it as a replica set, or correct COURIER_MONGODB_URL."),
    "clock": (_clock, clocks.ADVICE),
    "SMTP": (_smtp, "start the mail server, or correct COURIER_SMTP_URL."),
    "keys": (_keys, "put the key they were stored with, or a first one, into COURIER_SECRET_KEYS."),
    "workers": (_workers, "look at /readyz of those that are degraded: it names what is away."),
}
_OUTGOING: dict[str, Check] = {
    "outgoing": (
        _outgoing,
        "mend what it says, or correct COURIER_OUTGOING_PROXY or COURIER_SOURCE_ADDRESS.",
    ),
}
_CANARY: dict[str, Check] = {
    "canary": (
        _canary,
        "mend the account or its server, or correct COURIER_CANARY_ACCOUNT (remove it for none).",
    ),
}
_STORES: dict[str, Check] = {
    "stores": (
        _stores,
        (
            "mend the store, or its login: that of S3 needs s3:GetObject and s3:ListBucket, "
            "Google's the role Storage Object Viewer, Azure's the right to read blobs."
        ),
    ),
}
