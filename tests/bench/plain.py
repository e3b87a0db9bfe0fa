"""The plain use of Python's own clients, in a process of its own.

`python -m tests.bench.plain ftp|sftp|logins HOST PORT USER ...`, the password in `PLAIN_PASSWORD`.
Prints the seconds from before the first connection to the end, and the processor's: its start is
not counted.
"""

import ftplib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import paramiko

PASSWORD = "PLAIN_PASSWORD"


def main() -> None:
    """Do what is asked for, and print how long it took."""
    kind, host, port, user, *rest = sys.argv[1:]
    ways: dict[str, Callable[..., None]] = {"ftp": ftp, "sftp": sftp, "logins": logins}
    began, used = time.monotonic(), time.process_time()
    ways[kind](host, int(port), user, os.environ[PASSWORD], *rest)
    print(json.dumps([time.monotonic() - began, time.process_time() - used]))


def ftp(host: str, port: int, user: str, password: str, folder: str) -> None:
    """One STOR after another over one login."""
    with ftplib.FTP() as client:  # noqa: S321 - it is what is compared with
        client.connect(host, port, 30)
        client.login(user, password)
        for path in sorted(Path(folder).iterdir()):
            with path.open("rb") as file:
                client.storbinary(f"STOR {path.name}", file, 256 * 1024)


def sftp(host: str, port: int, user: str, password: str, folder: str) -> None:
    """One `put` after another over one login."""
    with closing(_logged_in(host, port, user, password)) as transport:
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        for path in sorted(Path(folder).iterdir()):
            client.put(str(path), path.name)


def logins(host: str, port: int, user: str, password: str, count: str, at_once: str) -> None:
    """So many logins, so many at once: SFTP is opened, and nothing done with it."""

    def login(_: int) -> None:
        with closing(_logged_in(host, port, user, password)) as transport:
            paramiko.SFTPClient.from_transport(transport)

    with ThreadPoolExecutor(int(at_once)) as pool:
        list(pool.map(login, range(int(count))))


def _logged_in(host: str, port: int, user: str, password: str) -> paramiko.Transport:
    transport = paramiko.Transport((host, port))
    transport.banner_timeout = transport.auth_timeout = 120
    transport.connect(username=user, password=password)
    return transport


if __name__ == "__main__":
    main()
