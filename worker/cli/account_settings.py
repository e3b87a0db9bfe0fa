"""`courier accounts set`, `test`, `enable` and `disable`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from config.accounts import Account, AlertFrequency, LogonType, Protocol
from config.audit import Action
from config.certificates import MAX_PEM
from config.errors import FieldRefused, PasswordAsked
from config.fields import declared
from config.ftp_settings import MAX_CLIENT_CERTIFICATE, ExistingFile, FtpSettings
from config.naming_settings import InFlight, NameEncoding
from config.public_keys import MAX_CERTIFICATE
from transports.errors import CertificateUntrusted, HostKeyChanged, TransferError
from transports.settings_report import Step, TestReport
from worker import show
from worker.cli import context, output
from worker.cli.options import AccountId, key_file, line_of_stdin, text_file
from worker.cli.options import field_option as _field
from worker.cli.output import AsJson
from worker.cli.record import actor, record
from worker.cli.refusal import Refused, with_advice
from worker.database import Core
from worker.ftp_settings import Saved, Secrets, change, try_stored

_OPTIONS = {
    "private_key": "('--private-key FILE', or 'courier accounts key generate'.)",
    "key_certificate": "Give another one with --key-certificate, or '' for none.",
    "passphrase": "Give it with --passphrase-stdin.",
    "active_mode": "Leave it out, or give --no-active-mode.",
    "client_certificate": "Give another one with --client-certificate, or '' for none.",
    "client_key": "Give it with --client-key.",
    "client_key_passphrase": "Give it with --client-key-passphrase-stdin.",
}
_OF_SOME_PROTOCOLS = (
    *("logon_type", "key_certificate", "client_certificate", "ca_certificates"),
    *("host_keys", "weak_algorithms", "active_mode"),
)
UNUSED = "FTP access is not granted to it or to an account above it: until then these are unused."


def set_settings(
    account_id: AccountId,
    *,
    protocol: Annotated[Protocol | None, _field("protocol")] = None,
    logon_type: Annotated[LogonType | None, _field("logon_type")] = None,
    host: Annotated[str | None, _field("host")] = None,
    port: Annotated[int | None, _field("port")] = None,
    username: Annotated[str | None, _field("username")] = None,
    password_stdin: Annotated[
        bool, _field("password", "--password-stdin", also="Read from the first line.")
    ] = False,
    private_key: Annotated[
        Path | None,
        _field("private_key", "--private-key", metavar="FILE", also="Read from this file."),
    ] = None,
    passphrase_stdin: Annotated[
        bool,
        _field("passphrase", "--passphrase-stdin", also="Read from the line after the password's."),
    ] = False,
    key_certificate: Annotated[
        str | None,
        _field(
            "key_certificate",
            "--key-certificate",
            metavar="FILE",
            also="The option names a file; an empty name removes it.",
        ),
    ] = None,
    client_certificate: Annotated[
        str | None,
        _field(
            "client_certificate",
            "--client-certificate",
            metavar="FILE",
            also="The option names a file; an empty name removes it.",
        ),
    ] = None,
    client_key: Annotated[
        Path | None,
        _field("client_key", "--client-key", metavar="FILE", also="Read from this file."),
    ] = None,
    client_key_passphrase_stdin: Annotated[
        bool,
        _field(
            "client_key_passphrase",
            "--client-key-passphrase-stdin",
            also="Read from the line after the other secrets'.",
        ),
    ] = False,
    path: Annotated[str | None, _field("path")] = None,
    folder_template: Annotated[
        str | None, _field("folder_template", also="An empty one is none.", metavar="TEMPLATE")
    ] = None,
    name_template: Annotated[
        str | None, _field("name_template", also="An empty one is none.", metavar="TEMPLATE")
    ] = None,
    in_flight: Annotated[InFlight | None, _field("in_flight")] = None,
    name_encoding: Annotated[NameEncoding | None, _field("name_encoding")] = None,
    email_alerts: Annotated[str | None, _field("email_alerts", metavar="A@X,B@Y")] = None,
    host_keys: Annotated[
        list[str] | None,
        _field(
            "host_keys",
            "--host-key",
            "--host-keys",
            metavar="SHA256:...",
            also="The option may be given several times; those given replace those stored, an "
            "empty one removes them (FTPS).",
        ),
    ] = None,
    ca_certificates: Annotated[
        str | None,
        _field(
            "ca_certificates",
            "--ca-file",
            "--ca-certificates",
            metavar="FILE",
            also="The option names a file; an empty name removes them.",
        ),
    ] = None,
    weak_algorithms: Annotated[
        bool | None, _field("weak_algorithms", "--weak-algorithms/--no-weak-algorithms")
    ] = None,
    uploads: Annotated[int | None, _field("uploads", also="0 is as if left empty.")] = None,
    existing_file: Annotated[ExistingFile | None, _field("existing_file")] = None,
    replace_characters: Annotated[
        bool | None, _field("replace_characters", "--replace-characters/--no-replace-characters")
    ] = None,
    active_mode: Annotated[
        bool | None, _field("active_mode", "--active-mode/--no-active-mode")
    ] = None,
    alert_frequency: Annotated[AlertFrequency | None, _field("alert_frequency")] = None,
    recovery_email: Annotated[
        bool | None, _field("recovery_email", "--recovery-email/--no-recovery-email")
    ] = None,
    bandwidth: Annotated[int | None, _field("bandwidth", also="0 is as if left empty.")] = None,
    time_zone: Annotated[str | None, _field("time_zone")] = None,
    delivery_window: Annotated[
        str | None, _field("delivery_window", also="An empty text removes it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store an account's FTP settings, once a test file could be uploaded with them.

    Options left out keep their stored value. Nothing is saved unless the test works; saving
    switches the settings on. The first save pins the SFTP server's host key and shows it.
    """
    given = {
        "protocol": protocol,
        "logon_type": logon_type,
        "host": host,
        "port": port,
        "username": username,
        "key_certificate": text_file(Path(key_certificate), MAX_CERTIFICATE)
        if key_certificate
        else None,
        "client_certificate": text_file(Path(client_certificate), MAX_CLIENT_CERTIFICATE + 1)
        if client_certificate
        else None,
        "path": path,
        "folder_template": folder_template,
        "name_template": name_template,
        "in_flight": in_flight,
        "name_encoding": name_encoding,
        "email_alerts": None if email_alerts is None else _addresses(email_alerts),
        "host_keys": None if host_keys is None else tuple(filter(None, host_keys)),
        "ca_certificates": _content(ca_certificates) if ca_certificates else None,
        "weak_algorithms": weak_algorithms,
        "uploads": uploads,
        "existing_file": existing_file,
        "replace_characters": replace_characters,
        "active_mode": active_mode,
        "alert_frequency": alert_frequency,
        "recovery_email": recovery_email,
        "bandwidth": bandwidth,
        "time_zone": time_zone,
        "delivery_window": delivery_window or None,
    }
    changes: dict[str, Any] = {
        option: value for option, value in given.items() if value is not None
    }
    if uploads == 0:
        changes["uploads"] = None
    if bandwidth == 0:
        changes["bandwidth"] = None
    if delivery_window == "":
        changes["delivery_window"] = None
    if key_certificate == "":
        changes["key_certificate"] = None
    if ca_certificates == "":
        changes["ca_certificates"] = None
    if client_certificate == "":
        changes["client_certificate"] = None
    steps = _Steps(as_json=as_json)
    with context.core() as core:
        before = core.directory.get(account_id)
        secrets = Secrets(
            _password(before, logon_type, from_stdin=password_stdin),
            None if private_key is None else key_file(private_key),
            line_of_stdin() if passphrase_stdin else None,
            None if client_key is None else key_file(client_key),
            line_of_stdin() if client_key_passphrase_stdin else None,
        )
        saved = _changed(core, account_id, changes, secrets, steps)
        steps.end(saved.report, "Nothing was saved")
        if not as_json:
            _tell_saved(core, account_id, saved)
            _tell_left_out(changes, saved)


def try_settings(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Log in with the stored settings and upload a text file."""
    steps = _Steps(as_json=as_json)
    with context.core() as core:
        if core.directory.get(account_id).settings is None:
            raise Refused(_nothing_stored(account_id))
        report = try_stored(core, account_id, steps.took, actor=actor()).report
    steps.end(report, "The test failed")
    if not as_json:
        output.say("Recordings can be delivered with these settings.")


def enable(account_id: AccountId) -> None:
    """Switch the stored FTP settings on."""
    with context.core() as core:
        _switch(core, account_id, on=True)
    output.say(f"The FTP settings of {account_id} are switched on.")


def disable(account_id: AccountId) -> None:
    """Switch the stored FTP settings off; files stay queued."""
    with context.core() as core:
        _switch(core, account_id, on=False)
    output.say(f"The FTP settings of {account_id} are switched off; its files stay queued.")


class _Steps:
    """Shows each step of a test at once, or all of them as JSON in the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def took(self, step: Step) -> None:
        if not self._as_json:
            output.step_line(step.name, step.detail, ok=step.ok)

    def end(self, report: TestReport, otherwise: str) -> None:
        """Raises Refused where the test failed."""
        if self._as_json:
            output.print_json([step.document() for step in report.steps])
        if report.failure is not None:
            if not self._as_json:
                output.print_page(show.cause_lines(report.failure.diagnosis.code))
            raise Refused(f"{otherwise}: {_told(report.failure)}")


def _changed(
    core: Core,
    account_id: str,
    changes: dict[str, Any],
    given: Secrets,
    steps: _Steps,
) -> Saved:
    try:
        return change(core, account_id, changes, given, steps.took, actor=actor())
    except PasswordAsked as error:
        raise Refused(f"{error} Give it with --password-stdin.") from None
    except FieldRefused as error:
        raise Refused(f"Nothing was saved: {error} {_OPTIONS[error.field]}") from None


def _told(failure: TransferError) -> str:
    if isinstance(failure, CertificateUntrusted) and failure.shown:
        return (
            f"{failure.words}: if the company has an authority of its own, give its certificate "
            "with --ca-file; if the server has made its certificate itself, compare its "
            "fingerprint with the one that its administrator tells, and give it with --host-key "
            f"{failure.shown} . No password was sent."
        )
    if isinstance(failure, HostKeyChanged):
        return (
            f"{failure.words}: if the server was replaced on purpose, give the new one with "
            "--host-key, and again with --host-key each stored one that stays right; if not, "
            "somebody may be standing in its place. No password was sent."
        )
    return with_advice(failure)


def _tell_saved(core: Core, account_id: str, saved: Saved) -> None:
    if saved.settings is None:
        return
    if saved.pinned:
        output.say(f"The host key {saved.settings.host_key} is pinned from now on.")
    output.say(f"The settings of {account_id} were saved and are switched on.", "green")
    if not core.directory.may_use_ftp(core.directory.get(account_id)):
        output.note(UNUSED)


def _tell_left_out(given: Mapping[str, Any], saved: Saved) -> None:
    """Name what was given, and is nothing to the protocol or the logon type that was chosen."""
    if saved.settings is None:
        return
    left_out = []
    for name in _OF_SOME_PROTOCOLS:
        default = FtpSettings.model_fields[name].default
        if given.get(name, default) != default == getattr(saved.settings, name):
            left_out.append(declared(name).title)
    if left_out:
        output.note(f"Not stored, as nothing else that was chosen uses it: {', '.join(left_out)}.")


def _switch(core: Core, account_id: str, *, on: bool) -> None:
    before = core.directory.get(account_id).enabled
    core.directory.set_enabled(account_id, enabled=on)
    if on:
        core.ledger.accounts.wake(account_id)
    action = Action.SETTINGS_ENABLED if on else Action.SETTINGS_DISABLED
    record(core, action, account_id, {"enabled": before}, {"enabled": on})


def _password(
    account: Account, logon_type: LogonType | None, *, from_stdin: bool
) -> SecretStr | None:
    """The password given; None where the stored one is to be kept, or none is needed."""
    if from_stdin:
        return line_of_stdin()
    if account.settings is not None or logon_type is LogonType.KEY:
        return None
    if sys.stdin.isatty():
        return SecretStr(typer.prompt("Password", hide_input=True, err=True))
    raise Refused(f"{account.account_id} has no password stored: give it with --password-stdin.")


def _content(name: str) -> str:
    """The text of a file of certificates."""
    try:
        with Path(name).open(encoding="ascii", errors="replace") as file:
            return file.read(MAX_PEM + 1)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else "that is no name of a file"
        raise Refused(f"{name!r} cannot be read: {words}.") from None


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _nothing_stored(account_id: str) -> str:
    return f"{account_id} has no FTP settings: 'courier accounts set {account_id}' stores them."
