"""What `courier accounts show` prints."""

from collections.abc import Iterator

from config.accounts import Account, FtpSettings, Protocol
from config.certificates import told
from config.fields import declared
from config.naming_settings import NameEncoding
from consumers.delivery.policy import State
from consumers.ledger import LastError, Selection, Status
from consumers.ledger.summaries import login_url
from worker import show
from worker.account_facts import AccountFacts
from worker.cli import output
from worker.cli.output import Cell
from worker.cli.tables import Column
from worker.cli.waits import kept_by_store
from worker.database import Core
from worker.server_facts import server_facts

LAST_DELIVERIES = 5


def server_of(settings: FtpSettings | None) -> str | None:
    """The server as a URL without a path; None without settings."""
    if settings is None:
        return None
    return login_url(settings.protocol.value, settings.username, settings.host, settings.port)


def page(facts: AccountFacts, store: LastError | None = None) -> Iterator[tuple[str, Cell]]:
    """What is known of one account, line by line; `store`: why its store keeps its oldest file."""
    account, run = facts.account, facts.run
    yield "account", account.account_id
    yield "name", account.name or None
    yield "parent", account.parent
    yield "FTP access", _access(facts)
    yield "default method", account.default_method.label
    yield from _settings_lines(account.settings)
    if facts.connects_from:
        yield "connects from", ", ".join(facts.connects_from)
    yield from _key_lines(account)
    yield "state", output.coloured(facts.state)
    yield from _standstill_lines(facts)
    if facts.state == "suspended":
        left = run.seconds_until(run.suspended_until)
        yield "next try", f"in {output.duration(left)}" if left else "with the next file"
    if facts.dormant_since:
        yield "dormant since", f"{output.moment(show.iso(facts.dormant_since))}: tried rarely"
    if facts.told_opening:
        yield "waits for", f"its delivery window, which opens on {facts.told_opening}"
    yield "failures in a row", run.failures or None
    yield from _error_lines(run.last_error)
    yield "queued", facts.queued
    if facts.queued:
        yield "oldest queued", f"{output.duration(facts.oldest_queued_seconds)} ago"
        if store is not None:
            yield "it is", kept_by_store(store)
            yield "advice", store.advice
    yield "dead letters", facts.dead_letters


def _standstill_lines(facts: AccountFacts) -> Iterator[tuple[str, Cell]]:
    """Why it is disabled, and whether a pause is left when that is over."""
    if facts.disabled:
        yield "disabled because", ", ".join(each.label for each in facts.disabled)
    if facts.is_also_paused:
        yield "paused as well", f"'courier accounts resume {facts.account.account_id}' ends it"


def _access(facts: AccountFacts) -> str:
    if facts.permitted:
        return "yes"
    return "no: not granted to an account above it" if facts.account.ftp_access else "no"


def _settings_lines(settings: FtpSettings | None) -> Iterator[tuple[str, Cell]]:
    if settings is None:
        yield "settings", "none"
        return
    yield from _way_lines(settings)
    yield from _file_lines(settings)
    for fact in server_facts(settings):
        words = f"TO KNOW: {fact.words}" if fact.is_risk else fact.words
        yield f"server: {fact.title.lower()}", words


def _way_lines(settings: FtpSettings) -> Iterator[tuple[str, Cell]]:
    """How the server is reached, and by what each side knows the other."""
    yield "server", server_of(settings)
    if settings.protocol is Protocol.SFTP:
        yield "logon type", settings.logon_type.value
        if settings.key_certificate:
            yield "key certificate", settings.key_certificate
    if settings.protocol is not Protocol.FTP:
        yield "host keys", ", ".join(settings.host_keys) or None
    if settings.ca_certificates is not None:
        yield "CA certificates", told(settings.ca_certificates)
    if settings.client_certificate is not None:
        yield "client certificate", told(settings.client_certificate)
    if settings.protocol is Protocol.SFTP and settings.weak_algorithms:
        yield "weak algorithms", "ALLOWED: what is sent is protected less than it could be"
    if settings.active_mode:
        yield "active mode", "on: for each file the server connects to the platform"


def _file_lines(settings: FtpSettings) -> Iterator[tuple[str, Cell]]:
    """What is done with files, and who hears of it."""
    yield "path", settings.path
    yield from _naming_lines(settings)
    yield "uploads at once", settings.uploads or "as many as make it faster"
    yield "existing file", _label("existing_file", settings.existing_file)
    yield "replace characters", "yes" if settings.replace_characters else "no"
    yield "e-mail alerts", ", ".join(settings.email_alerts) or "none"
    yield "alert frequency", _label("alert_frequency", settings.alert_frequency)
    yield "recovery e-mail", "yes" if settings.recovery_email else "no"
    if settings.bandwidth is not None:
        yield "bandwidth limit", f"{settings.bandwidth} kilobytes a second"
    if settings.delivery_window is not None:
        yield "delivery window", f"{settings.delivery_window} ({settings.time_zone})"


def _naming_lines(settings: FtpSettings) -> Iterator[tuple[str, Cell]]:
    """What was chosen besides the usual names."""
    yield "subfolders", settings.folder_template or None
    yield "file name", settings.name_template or None
    if settings.folder_template or settings.name_template:
        yield "time zone", settings.time_zone
    yield "files on their way", _label("in_flight", settings.in_flight)
    if settings.name_encoding is not NameEncoding.UTF_8:
        yield "name encoding", _label("name_encoding", settings.name_encoding)


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
        yield from show.cause_lines(error.cause)
        yield "advice", error.advice


def kept_by(core: Core, facts: AccountFacts) -> LastError | None:
    """Why the recordings' own store keeps the oldest file, as far as that alone keeps it."""
    if not facts.queued or not _is_free(facts):
        return None
    row = core.ledger.queries.oldest(facts.account.account_id)
    stored = row["last_error"] if row is not None else None
    error = LastError.stored(stored) if stored else None
    return error if error is not None and error.is_stores else None


def _is_free(facts: AccountFacts) -> bool:
    return facts.state == State.ACTIVE and not facts.told_opening


def print_last_deliveries(core: Core, account_id: str) -> None:
    """The files that arrived last, where there are any."""
    chosen = Selection(account_id=account_id, status=Status.DELIVERED)
    rows = [show.delivery_shape(row) for row in core.ledger.queries.select(chosen, LAST_DELIVERIES)]
    if rows:
        output.say("")
        output.print_table(
            (
                Column("LAST DELIVERED", least=20, keeps="end"),
                Column("AT", weight=2, least=None),
                Column("SIZE", weight=1, least=None),
            ),
            [(show.place(row), output.moment(row["delivered_at"]), row["size"]) for row in rows],
            empty="",
        )
