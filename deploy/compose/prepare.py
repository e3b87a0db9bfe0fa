"""Makes the secrets of the compose file, once: keys and passwords that nobody has ever seen.

A one-shot service runs it as root, since each file is to be read by one service's user alone.
What is there already stays, so that it can run again.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import quote

from cryptography.fernet import Fernet

COURIER = 10001
ROOT = Path("/secrets")
RECORDINGS = Path("/recordings")
NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")


def main() -> None:
    """Write what is missing."""
    _write("broker/password", secrets.token_urlsafe(24))
    password = (ROOT / "broker/password").read_text()
    _write("broker/cookie", secrets.token_hex(32))
    _write("customers/password", secrets.token_urlsafe(16))
    urls = [f"amqp://courier:{quote(password, safe='')}@{node}:5672/" for node in NODES]
    _write("courier/secret-keys", Fernet.generate_key().decode(), owner=COURIER)
    _write("courier/amqp-url", urls[0], owner=COURIER)
    _write("courier/amqp-url-cluster", ";".join(urls), owner=COURIER)
    os.chown(RECORDINGS, COURIER, COURIER)


def _write(name: str, content: str, owner: int = 0) -> None:
    """Unless it is there; whole or not at all."""
    path = ROOT / name
    if path.exists():
        return
    unfinished = path.with_suffix(".new")
    unfinished.write_text(content)
    # The other volumes hold nothing else, and each is mounted by its own services alone.
    unfinished.chmod(0o400 if owner else 0o444)
    os.chown(unfinished, owner, owner)
    unfinished.rename(path)


if __name__ == "__main__":
    main()
