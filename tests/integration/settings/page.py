"""The page of an account's settings, and what a person fills in there."""

from pathlib import Path

from deploy.local.customers import CustomerServer
from tests.servers import Sshd

FTP = "/accounts/acme/ftp"
GOOD = CustomerServer("ftp.example", 21, "customer", "a password", Path(), None, "/")


def form(server: CustomerServer, **changes: str) -> dict[str, str]:
    """All that the server wants to be given; `changes`: what else, or otherwise."""
    authority = {"ca_certificates": server.authority or ""} if server.tls else {}
    return {
        "enabled": "on",
        "protocol": server.tls or ("sftp" if server.host_key else "ftp"),
        "logon_type": "normal",
        "host": server.host,
        "port": str(server.port),
        "username": server.username,
        "password": server.password,
        "path": ".",
        **authority,
        **changes,
    }


def renew_host_key(sshd: Sshd) -> str:
    """The server has another key from now on; the former one."""
    former: str = sshd.host_key
    sshd.stop()
    sshd.regenerate_host_key()
    sshd.start()
    return former
