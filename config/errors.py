"""What can be wrong with a setting, told in words for the person who set it."""


class ConfigError(Exception):
    """A setting is missing, malformed or refused. Its text says what and what to do."""


class SettingsError(ConfigError):
    """The process cannot start with this environment. `problems` has one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SecretError(ConfigError):
    """A stored credential cannot be encrypted or read with the keys given."""


class UnreadableSecret(SecretError):
    """No key given made the stored credential."""


class AccountError(ConfigError):
    """An account, a number or a permission refuses what was asked of it."""


class UnknownAccount(AccountError):
    """There is no account of this id."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"There is no account {account_id!r}: 'courier accounts list' shows those there are."
        )
        self.account_id = account_id


class NumberError(AccountError):
    """What was given is no telephone number."""


class FieldRefused(AccountError):
    """What was entered in one field is refused, for a reason that only shows when it is used."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class SearchUnavailable(ConfigError):
    """The search cannot be answered in time. Its text says what to do."""


class PasswordAsked(AccountError):
    """A stored password would go to another place than the one it was entered for."""


class UserError(ConfigError):
    """A user or a password of the console refuses what was asked of it."""


class LoginTaken(UserError):
    """The login is taken. The account of its user is told to nobody.

    Logins are one for the whole platform, so that nobody has to name an account to sign in.
    """

    def __init__(self, login: str) -> None:
        super().__init__(
            f"The login {login!r} is taken: choose another one, such as an e-mail address."
        )


class TokenError(ConfigError):
    """A token of the API refuses what was asked of it."""
