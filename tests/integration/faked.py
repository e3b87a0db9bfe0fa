"""Accounts at fake servers, for what no real server can be brought to do."""

from typing import Any

from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from tests.integration.platform import Platform
from tests.servers.fake import Place
from transports.base import Server


class Places:
    """By host, what stands in for the servers that are connected to."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def connect(self, settings: FtpSettings, _password: SecretStr, *_: Any, **__: Any) -> Server:
        """A session, as `transports.backends.connect` opens it."""
        return self._places[settings.host].connect()

    def account(self, courier: Platform, name: str, place: Place, **changes: Any) -> None:
        """An account whose files go to this place."""
        host = f"{name}.example"
        self._places[host] = place
        courier.core.directory.create(name, ftp_access=True)
        values = {
            "protocol": Protocol.FTP,
            "host": host,
            "username": "u",
            "path": "in",
            **changes,
        }
        courier.core.directory.save_settings(
            name, FtpSettings.model_validate(values), SecretStr("secret")
        )
