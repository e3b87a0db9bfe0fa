"""The FTP settings of an account: every field is declared once, with its title, help and rules.

The model, the commands, the API and the page are fed by these declarations; `config.fields`
reads them. Labels and choices are fixed: customers' instructions use these words.
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from config.alert_settings import AlertRecipients, AlertWishes
from config.capabilities import Capabilities
from config.certificates import MAX_PEM, check_certificates
from config.entered import Input, entered
from config.errors import AccountError
from config.fingerprints import as_of_certificate, as_of_host_key, check_fingerprint
from config.hosts import Host
from config.integers import Whole
from config.models import FROZEN
from config.naming_settings import NamingSettings
from config.protocols import DEFAULT_PORTS, LogonType, Protocol
from config.public_keys import MAX_CERTIFICATE, certificate_line
from config.text import Text, one_line
from config.timing_settings import TimingSettings

MAX_PASSWORD = 1024
MAX_UPLOADS = 8
MAX_HOST_KEYS = 8
MAX_PRIVATE_KEY = 16 * 1024
"""Characters: an RSA key of 8,192 bits has 6,500."""
MAX_CLIENT_CERTIFICATE = 16 * 1024
"""Characters: one certificate with an RSA key of 4,096 bits has 2,500."""


class ExistingFile(StrEnum):
    """What becomes of a recording whose name the customer's server has already."""

    NUMBER = "number"
    OVERWRITE = "overwrite"


_WITH_SFTP = {"protocol": Protocol.SFTP.value}
_WITH_TLS = {"protocol": f"{Protocol.FTPS}|{Protocol.FTPS_IMPLICIT}"}
_WITH_FTP = {"protocol": "|".join(each for each in Protocol if each is not Protocol.SFTP)}
_WITH_ENCRYPTION = {"protocol": f"{Protocol.SFTP}|{Protocol.FTPS}|{Protocol.FTPS_IMPLICIT}"}
_WITH_PASSWORD = {"logon_type": "|".join(each for each in LogonType if each.needs_password)}
_WITH_KEY = {"logon_type": "|".join(each for each in LogonType if each.needs_key)}


def _password(value: SecretStr) -> SecretStr:
    text = one_line(value.get_secret_value())
    if not 1 <= len(text) <= MAX_PASSWORD:
        raise ValueError(f"must have 1 to {MAX_PASSWORD} characters")
    return value


def _private_key(value: SecretStr) -> SecretStr:
    if not 1 <= len(value.get_secret_value()) <= MAX_PRIVATE_KEY:
        raise ValueError(f"must have 1 to {MAX_PRIVATE_KEY} characters")
    return value


Password = Annotated[SecretStr, AfterValidator(_password)]
KeyCertificate = Annotated[str, AfterValidator(certificate_line)]
PrivateKeyText = Annotated[SecretStr, AfterValidator(_private_key)]
HostKey = Annotated[str, AfterValidator(check_fingerprint)]
Certificates = Annotated[str, AfterValidator(check_certificates)]


class _Server(BaseModel):
    """The fields up to the password, in the order of the screen."""

    model_config = FROZEN

    protocol: Protocol = Field(
        title="Protocol",
        description="How files travel: FTP; SFTP over an encrypted SSH connection; or FTPS, which "
        "is FTP encrypted by TLS, begun by a command (explicit) or from the first byte (implicit).",
        json_schema_extra=entered(
            Input.SELECT,
            options={
                "ftp": "FTP",
                "sftp": "SFTP",
                "ftps": "FTPS (explicit)",
                "ftps-implicit": "FTPS (implicit)",
            },
        ),
    )
    logon_type: LogonType = Field(
        default=LogonType.NORMAL,
        title="Logon Type",
        description="Normal sends the password; Interactive answers the server's question for it; "
        "Key shows the account's key instead of a password, Key and password is for servers that "
        "want both.",
        json_schema_extra=entered(
            Input.SELECT,
            options={
                "normal": "Normal",
                "interactive": "Interactive",
                "key": "Key",
                "key-and-password": "Key and password",
            },
            shown_when=_WITH_SFTP,
        ),
    )
    host: Host = Field(
        title="Host",
        description="The server's name or IP address, without protocol, port or path.",
        json_schema_extra=entered(Input.TEXT),
    )
    port: Whole = Field(
        default=DEFAULT_PORTS[Protocol.FTP],
        ge=1,
        le=65535,
        title="Port",
        description="Left empty: 21 for FTP and FTPS (explicit), 22 for SFTP, 990 for FTPS "
        "(implicit).",
        json_schema_extra=entered(
            Input.NUMBER, ports={each.value: port for each, port in DEFAULT_PORTS.items()}
        ),
    )
    username: Text = Field(
        min_length=1,
        max_length=256,
        title="Username",
        description="Who logs in to the server.",
        json_schema_extra=entered(Input.TEXT),
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_port(cls, data: Any) -> Any:
        """An empty port becomes the protocol's default."""
        if isinstance(data, dict) and "port" in data and data["port"] is None:
            return {**data, "port": _default_port(data.get("protocol"))}
        return data

    @model_validator(mode="after")
    def _missing_port(self) -> Self:
        """A missing port becomes the protocol's default, and still counts as not set."""
        if "port" not in self.model_fields_set:
            self.__dict__["port"] = _default_port(self.protocol)
        return self


def _default_port(protocol: Any) -> int:
    """The protocol's default port; any for an unknown protocol, which has an error of its own."""
    known = [port for each, port in DEFAULT_PORTS.items() if each == protocol]
    return next(iter(known), DEFAULT_PORTS[Protocol.FTP])


class _LogonCertificates(BaseModel):
    """The last fields of the logon."""

    model_config = FROZEN

    key_certificate: KeyCertificate | None = Field(
        default=None,
        max_length=MAX_CERTIFICATE,
        title="Key Certificate",
        description="Where the server trusts an authority that signs keys (OpenSSH): the line of "
        "id-cert.pub, made for the account's key.",
        json_schema_extra=entered(Input.LINES, shown_when=_WITH_KEY),
    )
    client_certificate: Certificates | None = Field(
        default=None,
        max_length=MAX_CLIENT_CERTIFICATE,
        title="Client Certificate",
        description="PEM: where the server wants one, the certificate that was issued for the "
        "account, and behind it those of the authorities in between.",
        json_schema_extra=entered(Input.LINES, shown_when=_WITH_TLS),
    )


class _Delivery(BaseModel):
    """The fields after the path."""

    model_config = FROZEN

    @model_validator(mode="before")
    @classmethod
    def _one_host_key(cls, data: Any) -> Any:
        """`host_key`, from when there was only one, is the first of `host_keys`."""
        if not isinstance(data, dict) or "host_key" not in data:
            return data
        values = dict(data)
        key = values.pop("host_key")
        keys = values.setdefault("host_keys", () if key is None else (key,))
        if key is not None and (not isinstance(keys, tuple | list) or key not in keys):
            raise ValueError("host_key is not one of host_keys: give one of the two")
        return values

    @field_validator("host_keys")
    @classmethod
    def _as_compared(cls, keys: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Each once, written as the protocol's are."""
        protocol = info.data.get("protocol")
        is_tls = isinstance(protocol, Protocol) and protocol.uses_tls
        spelled = as_of_certificate if is_tls else as_of_host_key
        return tuple(dict.fromkeys(spelled(key) for key in keys))

    host_keys: tuple[HostKey, ...] = Field(
        default=(),
        max_length=MAX_HOST_KEYS,
        title="Host Keys",
        description="The fingerprints of which the server must show one; several by comma. SFTP: "
        "left empty, the one it shows at the first save is kept. FTPS: SHA-256 of its certificate; "
        "left empty, it is checked who issued the certificate, and for which name.",
        json_schema_extra=entered(Input.LIST, shown_when=_WITH_ENCRYPTION),
    )
    ca_certificates: Certificates | None = Field(
        default=None,
        max_length=MAX_PEM,
        title="CA Certificates",
        description="PEM: the authority that issued the server's certificate, or that certificate "
        "itself. Left empty, the authorities that the platform's system trusts.",
        json_schema_extra=entered(Input.LINES, shown_when=_WITH_TLS),
    )
    weak_algorithms: bool = Field(
        default=False,
        title="Weak Algorithms",
        description="Take CBC ciphers, 3DES, MACs of MD5 or 96 bits, and RSA host keys below 2048 "
        "bits too, where the server has nothing better.",
        json_schema_extra=entered(Input.CHECKBOX, shown_when=_WITH_SFTP, by_provider=True),
    )
    uploads: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_UPLOADS,
        title="Uploads at Once",
        description=f"1 to {MAX_UPLOADS}. Left empty: as many as make it faster.",
        json_schema_extra=entered(Input.NUMBER),
    )
    existing_file: ExistingFile = Field(
        default=ExistingFile.NUMBER,
        title="Existing File",
        description="What to do where the server has another file of the same name.",
        json_schema_extra=entered(
            Input.SELECT,
            options={"number": "Keep it, and add a number: name (2)", "overwrite": "Overwrite it"},
        ),
    )
    replace_characters: bool = Field(
        default=False,
        title="Replace Characters",
        description='What Windows forbids in names (\\ / : * ? " < > |), and what the test on save '
        'has found this server to refuse, becomes "_".',
        json_schema_extra=entered(Input.CHECKBOX),
    )
    active_mode: bool = Field(
        default=False,
        title="Active Mode",
        description="For servers that take no passive transfers: the server connects to the "
        "platform for each file, which the platform's operator and both firewalls have to allow.",
        json_schema_extra=entered(Input.CHECKBOX, shown_when=_WITH_FTP, by_provider=True),
    )


class KnownHost(BaseModel):
    """A former server of the account, with its pinned host keys."""

    model_config = FROZEN

    host: str
    port: Whole
    host_keys: tuple[str, ...]
    protocol: Protocol = Protocol.SFTP


class FtpSettings(
    TimingSettings,
    AlertWishes,
    _Delivery,
    AlertRecipients,
    NamingSettings,
    _LogonCertificates,
    _Server,
):
    """One account's way to its server.

    Password and private key are not among them: they stay encrypted in the directory until a login
    needs them.
    """

    capabilities: Capabilities = Capabilities()
    known_hosts: tuple[KnownHost, ...] = ()
    """Former servers: settings that lead to one of them again find its keys pinned."""

    @property
    def host_key(self) -> str | None:
        """The first of the pinned keys."""
        return next(iter(self.host_keys), None)


class _Secrets(BaseModel):
    password: Password | None = Field(
        default=None,
        title="Password",
        description="Stored encrypted and never shown. Left empty, the stored one is kept; give it "
        "again with another protocol, host, port or username.",
        json_schema_extra=entered(Input.PASSWORD, sensitive=True, shown_when=_WITH_PASSWORD),
    )
    private_key: PrivateKeyText | None = Field(
        default=None,
        title="Private Key",
        description="A key of your own, in OpenSSH's format or PEM: Ed25519, ECDSA, or RSA from "
        "2048 bits. Stored encrypted and never shown. Left empty, the account's key is used.",
        json_schema_extra=entered(Input.LINES, sensitive=True, shown_when=_WITH_KEY),
    )
    passphrase: Password | None = Field(
        default=None,
        title="Passphrase",
        description="Where the private key has one. It opens the key once and is not stored.",
        json_schema_extra=entered(Input.PASSWORD, sensitive=True, shown_when=_WITH_KEY),
    )
    client_key: PrivateKeyText | None = Field(
        default=None,
        title="Client Key",
        description="The private key of the client certificate, in PEM or OpenSSH's format. Stored "
        "encrypted and never shown. Left empty, the stored one is used.",
        json_schema_extra=entered(Input.LINES, sensitive=True, shown_when=_WITH_TLS),
    )
    client_key_passphrase: Password | None = Field(
        default=None,
        title="Client Key Passphrase",
        description="Where the client key has one. It opens the key once and is not stored.",
        json_schema_extra=entered(Input.PASSWORD, sensitive=True, shown_when=_WITH_TLS),
    )


class FtpSettingsInput(
    TimingSettings,
    AlertWishes,
    _Delivery,
    AlertRecipients,
    NamingSettings,
    _LogonCertificates,
    _Secrets,
    _Server,
):
    """What a person enters: the settings and the secrets, in the order of the screen.

    An unknown field is refused: a misspelt one must not be lost silently.
    """

    model_config = ConfigDict(**FROZEN, extra="forbid")


def check_password(password: SecretStr) -> SecretStr:
    """The password itself; raises AccountError where no server could take it."""
    try:
        return _password(password)
    except ValueError as error:
        raise AccountError(f"The password {error}.") from None
