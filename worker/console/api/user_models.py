"""What the API takes and gives of users."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from worker.console.api.models import AccountId, Given, Taken, Time


class NewUser(Taken):
    """A user to add; without a password one is made, and shown this once."""

    login: Annotated[str, Field(max_length=320)]
    account_id: AccountId | None = None
    password: Annotated[SecretStr, Field(max_length=1024)] | None = None
    read_only: bool = False
    """It sees all of its account and changes nothing."""


class PasswordChange(Taken):
    """Another password; left out, one is made and shown this once."""

    password: Annotated[SecretStr, Field(max_length=1024)] | None = None


class UserChange(Taken):
    """What to change of a user; what is left out stays."""

    disabled: bool | None = None
    """It cannot sign in, and its tokens open nothing."""
    read_only: bool | None = None
    """It and its tokens may look and change nothing."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.disabled is None and self.read_only is None:
            raise ValueError("must name what to change: disabled, read_only")
        return self


class UserShape(Given):
    """A user; `password` only where one was made by this request."""

    login: str
    account_id: str | None
    disabled: bool
    created_at: Time
    read_only: bool
    second_factor: bool
    """Whether signing in takes a code besides the password."""
    password: str | None = None


class SessionShape(Given):
    """An open session of a user at the console."""

    began_at: Time
    used_at: Time
    address: str
    """Where it was begun from; empty where that was not noted."""
    browser: str
