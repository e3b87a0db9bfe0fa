"""An account that logs on by key, at the page, the API and the commands."""

from typing import Any

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_ssh_private_key,
)

from config.ssh_keys import KeyPair
from deploy.local.customers import CustomerServer
from tests.integration.console import Console
from tests.integration.settings.page import form as filled_in

API = "/accounts/acme/settings"
COMMENT = "Advanced Services Platform, account acme"
PASSPHRASE = "correct horse"


def encrypted(pair: KeyPair) -> str:
    key = load_ssh_private_key(pair.private.get_secret_value().encode(), None)
    sealed = BestAvailableEncryption(PASSPHRASE.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, sealed).decode()


def form(server: CustomerServer, **changes: str) -> dict[str, str]:
    """The page filled in for a logon with a key, and with a password where one is given."""
    fields = filled_in(server, **{"logon_type": "key", **changes})
    if "password" not in changes:
        del fields["password"]
    return fields


def body(server: CustomerServer, **changes: Any) -> dict[str, Any]:
    fields = form(server)
    del fields["enabled"]
    return {**fields, "port": server.port, **changes}


def stored(console: Console) -> dict[str, Any]:
    return console.platform.core.database["accounts"].find_one({"_id": "acme"}) or {}
