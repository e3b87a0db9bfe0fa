"""What is known of an account's server: what the test found, which host keys were saved when."""

from collections.abc import Iterator
from typing import NamedTuple

from config.audit import Audit, Entry
from config.errors import SearchUnavailable
from config.ftp_settings import FtpSettings
from worker.account_facts import AccountFacts
from worker.server_facts import server_facts
from worker.show import Shape, iso

_ENCRYPTION = {
    "kex": "Key exchange",
    "host_key": "Host key",
    "cipher": "Cipher",
    "mac": "Integrity",
}


class KeysSaved(NamedTuple):
    """A save that changed which host keys the server may show."""

    entry: Entry
    keys: tuple[str, ...]
    """From then on."""
    before: tuple[str, ...]


def host_key_history(audit: Audit, account_id: str) -> list[KeysSaved] | None:
    """The newest first, as the audit has it; None where the audit is too slow to tell: what else is
    known of the server is not to wait for it."""
    try:
        found = list(audit.of_field(account_id, "host_keys"))
    except SearchUnavailable:
        return None
    saved = (KeysSaved(each, _keys(each.after), _keys(each.before)) for each in found)
    return [each for each in saved if each.keys or each.before]


def encryption(settings: FtpSettings) -> Iterator[tuple[str, str]]:
    """What was agreed on with the server in the test; nothing of FTP in clear."""
    can = settings.capabilities
    if can.algorithms is not None:
        for name, title in _ENCRYPTION.items():
            yield title, getattr(can.algorithms, name)
    if can.tls is not None:
        yield "TLS", can.tls


def server_shape(facts: AccountFacts, settings: FtpSettings, audit: Audit) -> Shape:
    """All of it, for programs."""
    history = host_key_history(audit, facts.account.account_id)
    return {
        "account_id": facts.account.account_id,
        "protocol": settings.protocol.value,
        "host": settings.host,
        "port": settings.port,
        "facts": fact_shapes(settings),
        "encryption": dict(encryption(settings)),
        "capabilities": settings.capabilities.model_dump(mode="json"),
        "host_keys": list(settings.host_keys),
        "host_key_history": None if history is None else list(map(_saved_shape, history)),
        "connects_from": list(facts.connects_from),
    }


def _saved_shape(saved: KeysSaved) -> Shape:
    return {
        "at": iso(saved.entry.at),
        "actor": saved.entry.actor,
        "host_keys": list(saved.keys),
        "before": list(saved.before),
    }


def fact_shapes(settings: FtpSettings) -> list[Shape]:
    """The facts about its server, for programs."""
    return [fact._asdict() for fact in server_facts(settings)]


def _keys(side: Shape) -> tuple[str, ...]:
    stored = side.get("host_keys")
    return tuple(map(str, stored)) if isinstance(stored, list) else ()
