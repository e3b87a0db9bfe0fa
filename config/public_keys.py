"""The public half of an account's key, and its certificate: what everybody may see. Pure."""

import re

from pydantic import BaseModel

from config.models import FROZEN

MAX_CERTIFICATE = 8 * 1024
_CERTIFICATE = re.compile(r"([a-z0-9-]+-cert-v01@openssh\.com)\s+([A-Za-z0-9+/]+=*)(\s.*)?")


def certificate_line(value: str) -> str:
    """A certificate of OpenSSH without its comment. Raises ValueError where it is none by form."""
    found = _CERTIFICATE.fullmatch(value.strip())
    if found is None:
        raise ValueError("must be the line of a certificate, such as that of id-cert.pub")
    return f"{found[1]} {found[2]}"


class PublicKey(BaseModel):
    """A key by which a server knows the account."""

    model_config = FROZEN

    line: str
    """As OpenSSH's `authorized_keys` takes it: algorithm, key, comment."""
    fingerprint: str
    """`SHA256:` and 43 characters, as `ssh-keygen -l` tells it."""

    @property
    def algorithm(self) -> str:
        """The kind of key by its name in SSH, such as `ssh-ed25519`."""
        return self.line.partition(" ")[0]
