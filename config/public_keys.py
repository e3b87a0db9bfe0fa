"""The public half of an account's key, which may be shown to everybody. Pure."""

from pydantic import BaseModel, ConfigDict


class PublicKey(BaseModel):
    """A key by which a server knows the account."""

    model_config = ConfigDict(frozen=True)

    line: str
    """As OpenSSH's `authorized_keys` takes it: algorithm, key, comment."""
    fingerprint: str
    """`SHA256:` and 43 characters, as `ssh-keygen -l` tells it."""

    @property
    def algorithm(self) -> str:
        """The kind of key by its name in SSH, such as `ssh-ed25519`."""
        return self.line.partition(" ")[0]
