"""The settings of the process, from the environment: read once, frozen, checked at the start.

docs/settings.md says what each is for; `config.environment` by which names they are given.
"""

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from typing import Annotated, Literal

from cryptography.fernet import Fernet
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from config import active_ftp, clouds, mail_links, stores, tls
from config.accounts import ACCOUNT_ID, EmailAddress, Text
from config.active_ftp import Ports, check_addresses
from config.environment import PREFIX, Names
from config.errors import SettingsError
from config.outgoing import Proxy, proxy_of
from config.service_urls import AmqpUrl, ManagementUrl, MongodbUrl, ProxyUrl, SmtpUrl, is_url
from config.stores import S3Settings
from config.tls import Endpoint, Trust

MAX_PORT = 65535

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


def _country(value: str) -> str:
    from config import numbering  # noqa: PLC0415 - only where it is set

    if not numbering.is_country(value):
        raise ValueError("must be the code of a country in capitals, such as GB (ISO 3166-1)")
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("must name folders by their absolute paths, such as /recordings")
    return value


def _file(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must name a file: leave it empty where there is none")
    return value


def _network(value: object) -> object:
    return ip_network(value) if isinstance(value, str) else value


def _ip(value: object) -> object:
    return ip_address(value) if isinstance(value, str) else value


type_list = BeforeValidator(_split)
Key = Annotated[SecretStr, AfterValidator(_fernet_key)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Ip = Annotated[IPv4Address | IPv6Address, BeforeValidator(_ip)]
Folder = Annotated[Path, AfterValidator(_absolute)]
File = Annotated[Path, BeforeValidator(_file)]
Bind = Annotated[str, AfterValidator(_address)]
Delay = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """All settings of an operator. docs/settings.md says what each is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amqp_url: Annotated[SecretStr, AmqpUrl] = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    mongodb_url: Annotated[SecretStr, MongodbUrl] = SecretStr("mongodb://127.0.0.1:27017/courier")
    rabbitmq_management_url: Annotated[SecretStr, ManagementUrl] | None = None
    smtp_url: Annotated[SecretStr, SmtpUrl] = SecretStr("smtp://127.0.0.1:25")
    tls_ca_file: File | None = None
    tls_cert_file: File | None = None
    tls_key_file: File | None = None
    secret_keys: Annotated[tuple[Key, ...], type_list] = ()
    alert_from: EmailAddress = "courier@localhost"
    oncall_emails: Annotated[tuple[EmailAddress, ...], type_list] = ()
    platform_name: Annotated[Text, Field(max_length=100), AfterValidator(_not_blank)] = (
        "Advanced Services Platform"
    )
    max_tries: Annotated[int, Field(ge=1)] = 5
    suspend_after: Annotated[int, Field(ge=1)] = 10
    suspend_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 900
    retry_delays: Annotated[tuple[Delay, ...], type_list, AfterValidator(_seconds)] = (
        0,
        5,
        20,
        60,
    )
    replay_after_outage: bool = True
    dormant_after_days: Annotated[float, Field(gt=0, le=3650, allow_inf_nan=False)] | None = None
    lease_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 60
    retention_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 90
    upload_slots: Annotated[int, Field(ge=1, le=1024)] = 32
    source_dirs: Annotated[tuple[Folder, ...], type_list] = ()
    max_source_bytes: Annotated[int, Field(ge=1, le=2**63 - 1)] = 4 * 2**30
    source_logins: Annotated[tuple[stores.Login, ...], type_list] = ()
    s3_buckets: Annotated[tuple[stores.BucketName, ...], type_list] = ()
    s3_endpoint: Annotated[str, AfterValidator(stores.check_endpoint)] | None = None
    s3_region: Annotated[str, AfterValidator(stores.check_region)] | None = None
    s3_access_key_id: Annotated[str, AfterValidator(stores.check_key_id)] | None = None
    s3_secret_access_key: Annotated[SecretStr, Field(min_length=1)] | None = None
    gs_buckets: Annotated[tuple[stores.BucketName, ...], type_list] = ()
    gs_endpoint: Annotated[str, AfterValidator(stores.check_endpoint)] = clouds.GOOGLE
    gs_credentials: clouds.Credentials | None = None
    az_containers: Annotated[tuple[clouds.Container, ...], type_list] = ()
    az_account: clouds.Account | None = None
    az_endpoint: clouds.AzureEndpoint | None = None
    az_key: clouds.AccountKey | None = None
    az_sas: clouds.Sas | None = None
    az_connection_string: clouds.ConnectionString | None = None
    egress_deny: Annotated[tuple[Network, ...], type_list] = Field(
        default=tuple(ip_network(part) for part in CLOUD_METADATA.split(","))
    )
    egress_allow: Annotated[tuple[Network, ...], type_list] = ()
    outgoing_proxy: Annotated[SecretStr, ProxyUrl] | None = None
    source_address: Annotated[tuple[Ip, ...], type_list, AfterValidator(check_addresses)] = ()
    firewall_addresses: Annotated[tuple[Network, ...], type_list] = ()
    active_ftp_addresses: Annotated[tuple[Ip, ...], type_list, AfterValidator(check_addresses)] = ()
    active_ftp_ports: Ports | None = None
    metrics_bind: Bind = "127.0.0.1:9108"
    console_bind: Bind = "127.0.0.1:8080"
    console_url: Annotated[str, AfterValidator(_site)] | None = None
    trusted_proxies: Annotated[tuple[Network, ...], type_list] = ()
    confirm_alert_emails: bool = False
    canary_account: Annotated[str, AfterValidator(_account_id)] | None = None
    number_country: Annotated[str, AfterValidator(_country)] | None = None
    log_format: Literal["json", "console"] | None = None
    otlp_endpoint: Annotated[str, AfterValidator(_collector)] | None = None

    @property
    def connects_from(self) -> tuple[str, ...]:
        """What customers let in at their firewalls; empty where it is not known."""
        known: tuple[IPv4Network | IPv6Network, ...] = self.firewall_addresses
        if not known and self.outgoing_proxy is None:  # behind a proxy they see the proxy's
            known = tuple(map(ip_network, self.source_address))
        return tuple(
            str(each.network_address if each.num_addresses == 1 else each) for each in known
        )

    @property
    def proxy(self) -> Proxy | None:
        """Through which customers' servers are connected to; None: straight."""
        return None if self.outgoing_proxy is None else proxy_of(self.outgoing_proxy)

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

    @property
    def logins_of_sources(self) -> dict[str, SecretStr]:
        """The Authorization header that is sent to a host (`host` or `host:port`) of https."""
        return dict(map(stores.authority_and_header, self.source_logins))

    @property
    def s3(self) -> S3Settings:
        """How S3 is reached, and which objects may be read there."""
        return S3Settings(
            tuple(map(stores.bucket_of, self.s3_buckets)),
            self.s3_endpoint,
            self.s3_region,
            self.s3_access_key_id,
            self.s3_secret_access_key,
        )

    @property
    def google(self) -> clouds.GoogleSettings:
        """How Google Cloud Storage is reached, and which objects may be read there."""
        buckets = tuple(map(stores.bucket_of, self.gs_buckets))
        return clouds.GoogleSettings(buckets, self.gs_endpoint, self.gs_credentials)

    @property
    def azure(self) -> clouds.AzureSettings:
        """How Azure Blob Storage is reached, and which blobs may be read there."""
        containers = tuple(map(stores.bucket_of, self.az_containers))
        place, login = (self.az_account, self.az_endpoint), (self.az_key, self.az_sas)
        return clouds.AzureSettings(containers, *place, *login, self.az_connection_string)


_LISTS = {name for name, field in Settings.model_fields.items() if type_list in field.metadata} - {
    "retry_delays"
}
"""What may be an empty list: where it is given empty it is that, and not the default."""


def load_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")
) -> Settings:
    """The settings of this process.

    Raises SettingsError with one sentence for each value that cannot be used and for each
    unknown name that begins with `COURIER_`.
    """
    values, problems = Names(Settings.model_fields, _LISTS).read(
        os.environ if environ is None else environ, dotenv
    )
    try:
        settings = Settings.model_validate(values)
        problems += _conflicts(settings)
    except ValidationError as error:
        problems += _explain(error)
    if problems:
        raise SettingsError(problems)
    return settings


def _conflicts(settings: Settings) -> Iterator[str]:
    """A sentence for each value that cannot be used together with others."""
    yield from tls.problems(settings.trust)
    yield from mail_links.problems(
        settings.console_url, settings.secret_keys, must_confirm=settings.confirm_alert_emails
    )
    yield from active_ftp.problems(
        settings.active_ftp_addresses,
        settings.active_ftp_ports,
        has_proxy=settings.outgoing_proxy is not None,
    )
    yield from stores.problems(settings.s3, settings.source_logins)
    yield from clouds.problems(settings.azure)


def _explain(error: ValidationError) -> list[str]:
    """One sentence a setting, without the value: it may be a secret."""
    seen: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        name = f"{PREFIX}{str(item['loc'][0]).upper()}"
        message = item["msg"].removeprefix("Value error, ")
        seen.setdefault(name, f"{name} is not valid: {message[0].lower()}{message[1:]}.")
    return list(seen.values())
