"""The settings of the process, from the environment: read once, frozen, checked at the start.

Each `COURIER_NAME` can also be given as `COURIER_NAME_FILE`, a file that holds the value (the
way container platforms hand out secrets), and in a `.env` file of the working folder. The
environment wins over the file.
"""

import os
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.fernet import Fernet
from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from config import tls
from config.accounts import ACCOUNT_ID, EmailAddress, Text
from config.errors import SettingsError
from config.service_urls import AmqpUrl, ManagementUrl, MongodbUrl, SmtpUrl, is_url
from config.tls import Endpoint, Trust

PREFIX = "COURIER_"
MAX_PORT = 65535
MAX_FILE_BYTES = 65536
"""The largest file of a `_FILE` setting: a device would be read for ever."""

CLOUD_METADATA = (
    "169.254.0.0/16,fe80::/10,"  # link-local: most clouds, and OpenStack
    "100.100.100.200/32,fd00:100::100:200/128,"  # Alibaba
    "168.63.129.16/32,"  # Azure
    "192.0.0.192/32,fd00:c1::a9fe:a9fe/128,"  # Oracle
    "fd00:ec2::/32,"  # AWS: metadata, the credentials of containers
    "fd20:ce::254/128,"  # Google
    "fd00:42::42/128,"  # Scaleway
    "fd00:a9fe:a9fe::1/128"  # Linode
)
"""Link-local addresses, and those at which clouds give credentials to any caller."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _fernet_key(value: SecretStr) -> SecretStr:
    try:
        Fernet(value.get_secret_value())
    except ValueError:
        raise ValueError(
            "must be Fernet keys (32 bytes, URL-safe base64); 'courier secrets generate' makes one"
        ) from None
    return value


def _address(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > MAX_PORT:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9108")
    return value


def _site(value: str) -> str:
    """The address of a web site, without a slash at its end. Raises ValueError."""
    if not is_url(value, "http", "https") or set(value) & set("?#@ "):
        raise ValueError("must be the console's address, such as https://courier.example")
    return value.rstrip("/")


def _collector(value: str) -> str:
    """Where spans are sent, without a slash at its end. Raises ValueError."""
    bare = value.rstrip("/")
    if (
        not is_url(value, "http", "https")
        or set(value) & set("?#@ ")
        or bare.endswith("/v1/traces")
    ):
        raise ValueError(
            "must be the address of a collector of OTLP over HTTP, such as http://127.0.0.1:4318, "
            "without a user, a password or /v1/traces"
        )
    return bare


def _seconds(value: list[float]) -> list[float]:
    if not value:
        raise ValueError("must name at least one delay in seconds, such as 0,5,20,60")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _account_id(value: str) -> str:
    if not ACCOUNT_ID.fullmatch(value):
        raise ValueError("must be the id of an account, such as canary; remove it for no canary")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("must name folders by their absolute paths, such as /recordings")
    return value


def _file(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must name a file: remove the setting where there is none")
    return value


def _network(value: object) -> object:
    return ip_network(value) if isinstance(value, str) else value


type_list = BeforeValidator(_split)
Key = Annotated[SecretStr, AfterValidator(_fernet_key)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Folder = Annotated[Path, AfterValidator(_absolute)]
File = Annotated[Path, BeforeValidator(_file)]
Bind = Annotated[str, AfterValidator(_address)]
Delay = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings of an operator. The README says what each is for."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=False, env_file=None
    )

    amqp_url: Annotated[SecretStr, AmqpUrl] = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    mongodb_url: Annotated[SecretStr, MongodbUrl] = SecretStr("mongodb://127.0.0.1:27017/courier")
    rabbitmq_management_url: Annotated[SecretStr, ManagementUrl] | None = None
    smtp_url: Annotated[SecretStr, SmtpUrl] = SecretStr("smtp://127.0.0.1:25")
    tls_ca_file: File | None = None
    tls_cert_file: File | None = None
    tls_key_file: File | None = None
    secret_keys: Annotated[tuple[Key, ...], NoDecode, type_list] = ()
    alert_from: EmailAddress = "courier@localhost"
    oncall_emails: Annotated[tuple[EmailAddress, ...], NoDecode, type_list] = ()
    platform_name: Annotated[Text, Field(max_length=100), AfterValidator(_not_blank)] = (
        "Advanced Services Platform"
    )
    max_tries: Annotated[int, Field(ge=1)] = 5
    suspend_after: Annotated[int, Field(ge=1)] = 10
    suspend_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 900
    retry_delays: Annotated[tuple[Delay, ...], NoDecode, type_list, AfterValidator(_seconds)] = (
        0,
        5,
        20,
        60,
    )
    replay_after_outage: bool = True
    lease_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 60
    retention_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90
    upload_slots: Annotated[int, Field(ge=1, le=1024)] = 32
    source_dirs: Annotated[tuple[Folder, ...], NoDecode, type_list] = ()
    max_source_bytes: Annotated[int, Field(ge=1, le=2**63 - 1)] = 4 * 2**30
    egress_deny: Annotated[tuple[Network, ...], NoDecode, type_list] = Field(
        default=tuple(ip_network(part) for part in CLOUD_METADATA.split(","))
    )
    egress_allow: Annotated[tuple[Network, ...], NoDecode, type_list] = ()
    metrics_bind: Bind = "127.0.0.1:9108"
    console_bind: Bind = "127.0.0.1:8080"
    console_url: Annotated[str, AfterValidator(_site)] | None = None
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, type_list] = ()
    confirm_alert_emails: bool = False
    canary_account: Annotated[str, AfterValidator(_account_id)] | None = None
    log_format: Literal["json", "console"] | None = None
    otlp_endpoint: Annotated[str, AfterValidator(_collector)] | None = None

    @property
    def trust(self) -> Trust:
        """The TLS trust for all services of the platform."""
        return Trust(self.tls_ca_file, self.tls_cert_file, self.tls_key_file)

    @property
    def rabbitmq(self) -> Endpoint:
        """Where RabbitMQ is: one node, or those of a cluster."""
        return Endpoint(self.amqp_url, self.trust)

    @property
    def rabbitmq_management(self) -> Endpoint | None:
        """Where RabbitMQ's management API is, or None where it is not given."""
        url = self.rabbitmq_management_url
        return None if url is None else Endpoint(url, self.trust)

    @property
    def mongodb(self) -> Endpoint:
        """Where MongoDB is."""
        return Endpoint(self.mongodb_url, self.trust)

    @property
    def smtp(self) -> Endpoint:
        """Where the mail server is."""
        return Endpoint(self.smtp_url, self.trust)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only the values of `load_settings`, which has read the files already."""
        return (init_settings,)


def load_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")
) -> Settings:
    """The settings of this process.

    Raises SettingsError with one sentence for each value that cannot be used and for each
    unknown name that begins with `COURIER_`.
    """
    given = _given(os.environ if environ is None else environ, dotenv)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in sorted(given.items()):
        _take(name, value, values, problems)
    try:
        settings = Settings(**values)
        problems += tls.problems(settings.trust)
        if settings.confirm_alert_emails and not (settings.console_url and settings.secret_keys):
            problems.append(
                "COURIER_CONFIRM_ALERT_EMAILS is not valid: it needs links in e-mails. Set "
                "COURIER_CONSOLE_URL and COURIER_SECRET_KEYS too, or nobody can confirm."
            )
    except ValidationError as error:
        problems += _explain(error)
    if problems:
        raise SettingsError(problems)
    return settings


def _given(environ: Mapping[str, str], dotenv: Path) -> dict[str, str]:
    merged = {**_stored(dotenv), **environ}
    for name in environ:  # an own value in the environment wins over a `_FILE` in the file
        if not name.endswith("_FILE") and f"{name}_FILE" not in environ:
            merged.pop(f"{name}_FILE", None)
        elif name.endswith("_FILE") and name.removesuffix("_FILE") not in environ:
            merged.pop(name.removesuffix("_FILE"), None)
    return {name: value for name, value in merged.items() if name.startswith(PREFIX)}


def _stored(dotenv: Path) -> dict[str, str]:
    try:
        values = dotenv_values(dotenv) if dotenv.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{dotenv} cannot be read: {_reason(error)}."]) from None
    return {name: value or "" for name, value in values.items()}


def _take(name: str, value: str, values: dict[str, Any], problems: list[str]) -> None:
    field = name.removeprefix(PREFIX).lower()
    if field in Settings.model_fields and name == name.upper():
        values[field] = value
        return
    base = field.removesuffix("_file")
    if base == field or base not in Settings.model_fields or name != name.upper():
        problems.append(f"{name} is not a setting of Courier: correct its name or remove it.")
        return
    if base in values:
        problems.append(f"{PREFIX}{base.upper()} and {name} are both set: keep one of them.")
        return
    try:
        values[base] = _read(Path(value))
    except (OSError, ValueError) as error:
        problems.append(f"{name} names {value!r}, which cannot be read: {_reason(error)}.")


def _read(file: Path) -> str:
    """Raises OSError, UnicodeDecodeError, and ValueError where it is too long."""
    with file.open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"it is longer than {MAX_FILE_BYTES} bytes")
    return content.decode().strip()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)


def _explain(error: ValidationError) -> list[str]:
    """One sentence a setting, without the value: it may be a secret."""
    seen: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        name = f"{PREFIX}{str(item['loc'][0]).upper()}"
        message = item["msg"].removeprefix("Value error, ")
        seen.setdefault(name, f"{name} is not valid: {message[0].lower()}{message[1:]}.")
    return list(seen.values())
