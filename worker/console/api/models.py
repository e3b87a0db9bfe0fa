"""What the API takes and gives, for its description. The shapes themselves are `worker.show`'s."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from config.accounts import (
    ACCOUNT_ID,
    AlertFrequency,
    Capabilities,
    DeliveryMethod,
    check_account_id,
)
from config.errors import AccountError
from config.ftp_settings import ExistingFile, FtpSettingsInput, HostKey, Password, PrivateKeyText
from config.integers import Whole
from config.naming_settings import InFlight, NameEncoding
from config.protocols import LogonType, Protocol
from config.ssh_keys import KeyType
from config.text import MAX_NAME, Name
from config.tokens import MAX_DAYS
from consumers.ledger import Disabled, Status
from transports.diagnosis import Whose
from transports.errors import Speaker


def _account_id(value: str) -> str:
    try:
        return check_account_id(value)
    except AccountError:
        raise ValueError(
            "must be up to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit"
        ) from None


AccountId = Annotated[
    str,
    AfterValidator(_account_id),
    Field(json_schema_extra={"pattern": f"^{ACCOUNT_ID.pattern}$"}),
]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""As `worker.show` writes it, so that API and commands agree to the letter."""


class Taken(BaseModel):
    """What a client sends: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Given(BaseModel):
    """What a client gets; a later version may give more."""

    model_config = ConfigDict(extra="allow")


# --- what is wrong ------------------------------------------------------------------------------


class Problem(Given):
    """What went wrong, in a sentence for people."""

    message: str
    cause: str | None = None
    """The code of a test's failure in the catalogue of causes."""
    whose: Whose | None = None
    field: str | None = None
    fields: dict[str, str] | None = None
    steps: list["StepShape"] | None = None
    pinned: str | None = None
    shown: str | None = None


class ErrorShape(Given):
    """The one shape of errors."""

    error: Problem


# --- accounts and settings ----------------------------------------------------------------------


class NewAccount(Taken):
    """An account to add."""

    account_id: AccountId
    name: Name = ""
    parent: AccountId | None = None
    ftp_access: bool = False


class AccountChange(Taken):
    """What to change; what is left out stays."""

    name: Name | None = None
    parent: AccountId | None = None
    default_method: DeliveryMethod | None = None


class SettingsShape(Given):
    """The FTP settings; never the password."""

    protocol: Protocol
    logon_type: LogonType
    host: str
    port: int
    username: str
    key_certificate: str | None
    client_certificate: str | None
    path: str
    folder_template: str
    name_template: str
    in_flight: InFlight
    name_encoding: NameEncoding
    email_alerts: list[str]
    host_key: str | None
    """The first of `host_keys`."""
    host_keys: list[str]
    ca_certificates: str | None
    weak_algorithms: bool
    uploads: int | None
    existing_file: ExistingFile
    active_mode: bool
    alert_frequency: AlertFrequency
    recovery_email: bool
    replace_characters: bool
    bandwidth: int | None
    """Kilobytes a second."""
    time_zone: str
    delivery_window: str | None
    capabilities: Capabilities


class SettingsInput(FtpSettingsInput):
    """Settings to save, which may be those that were read, with changes."""

    model_config = ConfigDict(defer_build=False)  # a body of the API is built with it

    host_key: HostKey | None = Field(
        default=None, exclude=True, description="Where there is one: as `host_keys` with that one."
    )
    capabilities: Any = Field(
        default=None,
        description="Never taken: the test on save finds them anew.",
        json_schema_extra={"readOnly": True},
    )


class KeyShape(Given):
    """The public half of an account's key; the private one is never given."""

    algorithm: str
    fingerprint: str
    public_key: str
    """A line for `~/.ssh/authorized_keys` of the user at the server."""


class KeysShape(Given):
    """The key in use, and a new one that waits for the test on save."""

    key: KeyShape | None
    pending_key: KeyShape | None


class NewKey(Taken):
    """The kind of key to make; those besides Ed25519 are for servers that do not take it."""

    type: KeyType = KeyType.ED25519


class OwnKey(Taken):
    """A private key of the customer's own; the passphrase opens it once and is not stored."""

    private_key: PrivateKeyText
    passphrase: Password | None = None


class AccountShape(Given):
    """An account and its state."""

    account_id: str
    name: str
    parent: str | None
    ftp_access: bool
    """Given to the account itself."""
    ftp_permitted: bool
    """Effective: given to it and to all above it."""
    enabled: bool
    default_method: DeliveryMethod
    settings: SettingsShape | None
    connects_from: list[str]
    """Addresses and networks that a firewall of the customer's lets in; empty where the service
    provider does not say."""
    key: KeyShape | None
    """The key that a logon by key shows."""
    pending_key: KeyShape | None
    """A new key, which the next save with a logon by key tests and takes into use."""
    state: str
    disabled_by: list[Disabled]
    """Every reason for which it is disabled; empty where it is not."""
    paused: bool
    """By somebody, until somebody resumes it; also where its state is `disabled`."""
    consecutive_failures: int
    suspended_until: Time | None
    dormant_since: Time | None
    """Since when it is suspended so that it is tried rarely, because its outage lasts for days."""
    window_opens_at: Time | None
    """Outside of its delivery window: when it opens, and what waits is sent."""
    last_error: str | None
    last_error_advice: str | None
    last_error_by: Speaker | None
    last_error_cause: str | None
    """Its code in the catalogue of causes."""
    last_error_whose: Whose | None
    """Who can mend it."""
    queued: int
    oldest_queued_seconds: float
    dead_letters: int


class StepShape(Given):
    """One step of the test upload."""

    name: str
    ok: bool
    detail: str
    cause: str | None = None
    """The code of the catalogue of causes, where the step failed."""
    whose: Whose | None = None


class SavedShape(Given):
    """The settings as saved, and how the test went."""

    settings: SettingsShape
    steps: list[StepShape]
    pinned: bool
    capabilities: Capabilities


class DiscardedShape(Given):
    """Files that were given up with an account; they stay in the ledger as discarded."""

    queued: int
    dead_letters: int


class RemovedShape(Given):
    """An account that is no more."""

    account_id: str
    discarded: DiscardedShape


class PermissionShape(Given):
    """FTP Access: given to the account itself, and effective through all above it."""

    account_id: str
    ftp_access: bool
    effective: bool


# --- numbers, deliveries ------------------------------------------------------------------------


class NumberMethod(Taken):
    """Where the recordings of a number go."""

    method: DeliveryMethod
    allow_short: bool = False


class NumberShape(Given):
    """A telephone number."""

    number: str
    account_id: str
    method: DeliveryMethod


class DeliveryShape(Given):
    """A recording and what became of it."""

    recording_id: str
    account_id: str
    status: Status
    tries: int
    remote_path: str | None
    size: int | None
    last_error: str | None
    last_error_by: Speaker | None
    created_at: Time
    delivered_at: Time | None
    reason: str | None
    dead_at: Time | None
    number: str | None
    file_name: str
    file_url: str | None
    """Where the platform keeps it; for the service provider's tokens."""
    recorded_at: str | None
    sha256: str | None
    verified: str | None
    """By what it was made sure that the file arrived whole: `sha256`, `sha1`, `md5` or `crc32` is
    the server's digest of it, `size` what it tells, `reply` its confirmation alone. In older ones
    `hash` is some digest."""
    replaced_by: str | None
    """The later recording whose file has taken the place of this one's."""
    replaced_at: Time | None
    trace_id: str | None
    """The id of its trace (W3C Trace Context), by which its spans and log lines are found."""
    last_error_cause: str | None
    last_error_whose: Whose | None


# --- the platform, users, tokens, audit ---------------------------------------------------------


class WorkerShape(Given):
    """One worker process; it owns `buckets` of 1,024 buckets of accounts."""

    worker: str
    host: str
    pid: int
    state: str
    buckets: int


class StatusShape(Given):
    """The platform in a few numbers."""

    accounts: dict[str, int]
    queued: int
    dead_letters: int
    oldest_queued_seconds: float
    workers: int
    worker_processes: list[WorkerShape]


class NewToken(Taken):
    """A token to make."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    account_id: AccountId | None = None
    scope: Literal["read", "write"] = "write"
    days: Annotated[Whole, Field(ge=1, le=MAX_DAYS)] | None = None
    """After so many days it opens nothing any more; left out: until it is revoked."""


class TokenShape(Given):
    """A token; `token`, the secret itself, only in the answer that made it."""

    token_id: str
    name: str
    account_id: str | None
    created_at: Time
    last_used_at: Time | None
    scope: Literal["read", "write"]
    expires_at: Time | None
    created_by: str | None
    token: str | None = None


class AlertAddressShape(Given):
    """What the reader of an account's alerts has said about them."""

    address: str
    stopped_at: Time | None
    confirmed_at: Time | None
    left_out: int
    """E-mails that the limit an hour kept from it since its last one."""


class EntryShape(Given):
    """Who changed what."""

    id: str
    at: Time
    actor: str
    action: str
    account_id: str | None
    target: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    sentence: str
    """The same for people."""
    details: list[str]
    """A line for each fact that the sentence does not tell."""
