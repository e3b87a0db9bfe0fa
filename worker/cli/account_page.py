"""What `courier accounts list` and `show` print."""

from collections.abc import Iterator

from config.accounts import Account, FtpSettings, Protocol
from config.certificates import told
from config.fields import declared
from consumers.ledger import LastError, Selection, Status
from worker import show
from worker.cli import output
from worker.cli.output import Cell
from worker.core import Core
from worker.server_facts import server_facts
from worker.show import AccountFacts

LAST_DELIVERIES = 5


def listed(facts: AccountFacts) -> tuple[Cell, ...]:
    """An account's line of the list."""
    account = facts.account
    return (
        account.account_id,
        account.name,
        account.parent,
        output.coloured(facts.state),
        _server(account.settings),
        facts.queued,
        facts.dead_letters,
    )


def _server(settings: FtpSettings | None) -> str | None:
    if settings is None:
        return None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{settings.protocol.value}://{settings.username}@{host}:{settings.port}"


def page(facts: AccountFacts) -> Iterator[tuple[str, Cell]]:
    """What is known of one account, line by line."""
    account, run = facts.account, facts.run
    yield "account", account.account_id
    yield "name", account.name or None
    yield "parent", account.parent
    yield "FTP access", _access(facts)
    yield "default method", account.default_method.label
    yield from _settings_lines(account.settings)
    yield from _key_lines(account)
    yield "state", output.coloured(facts.state)
    if facts.state == "suspended":
        left = run.seconds_until(run.suspended_until)
        yield "next try", f"in {output.duration(left)}" if left else "with the next file"
    yield "failures in a row", run.failures or None
    yield from _error_lines(run.last_error)
    yield "queued", facts.queued
    if facts.queued:
        yield "oldest queued", f"{output.duration(facts.oldest_queued_seconds)} ago"
    yield "dead letters", facts.dead_letters


def _access(facts: AccountFacts) -> str:
    if facts.permitted:
        return "yes"
    return "no: not granted to an account above it" if facts.account.ftp_access else "no"


def _settings_lines(settings: FtpSettings | None) -> Iterator[tuple[str, Cell]]:
    if settings is None:
        yield "settings", "none"
        return
    yield "server", _server(settings)
    if settings.protocol is Protocol.SFTP:
        yield "logon type", settings.logon_type.value
        if settings.key_certificate:
            yield "key certificate", settings.key_certificate
    if settings.protocol is not Protocol.FTP:
        yield "host keys", ", ".join(settings.host_keys) or None
    if settings.ca_certificates is not None:
        yield "CA certificates", told(settings.ca_certificates)
    if settings.protocol is Protocol.SFTP and settings.weak_algorithms:
        yield "weak algorithms", "ALLOWED: what is sent is protected less than it could be"
    yield "path", settings.path
    yield "uploads at once", settings.uploads or "as many as make it faster"
    yield "existing file", _label("existing_file", settings.existing_file)
    yield "replace characters", "yes" if settings.replace_characters else "no"
    yield "e-mail alerts", ", ".join(settings.email_alerts) or "none"
    yield "alert frequency", _label("alert_frequency", settings.alert_frequency)
    yield "recovery e-mail", "yes" if settings.recovery_email else "no"
    for fact in server_facts(settings):
        words = f"TO KNOW: {fact.words}" if fact.is_risk else fact.words
        yield f"server: {fact.title.lower()}", words


def _key_lines(account: Account) -> Iterator[tuple[str, Cell]]:
    if account.key is not None:
        yield "key", account.key.fingerprint
        yield "its public half", account.key.line
    if account.pending_key is not None:
        yield "new key", f"{account.pending_key.fingerprint}, not in use yet"
        yield "its public half", account.pending_key.line


def _label(name: str, value: str) -> str:
    """A choice as its drop-down has it."""
    return next(each.label for each in declared(name).options if each.value == value)


def _error_lines(error: LastError | None) -> Iterator[tuple[str, Cell]]:
    if error is not None:
        yield "last error", error.words
        yield "said by", show.speaker(error.said_by)
        yield "advice", error.advice


def print_last_deliveries(core: Core, account_id: str) -> None:
    """The files that arrived last, where there are any."""
    chosen = Selection(account_id=account_id, status=Status.DELIVERED)
    rows = [show.delivery_shape(row) for row in core.ledger.queries.select(chosen, LAST_DELIVERIES)]
    if rows:
        output.say("")
        output.print_table(
            ("LAST DELIVERED", "AT", "SIZE"),
            [(row["remote_path"], output.moment(row["delivered_at"]), row["size"]) for row in rows],
            empty="",
        )
