"""The changes of users and tokens that pages and API offer, each with its entry in the audit."""

from pydantic import SecretStr

from config.audit import Action
from config.errors import LoginTaken, UserError
from config.tokens import TOKEN
from config.users import User, generate_password
from worker import audit_facts
from worker.console.acting import Acting
from worker.console.language import gettext as _


class PeopleActs(Acting):
    """Changes of users and tokens."""

    def create_user(
        self,
        login: str,
        account_id: str | None,
        password: SecretStr | None,
        *,
        read_only: bool = False,
    ) -> tuple[User, SecretStr | None]:
        """Add a user. Returns the user, and the generated password where none was given.

        Raises LoginTaken, UserError, and TooManyRequests where the account has found many logins
        taken.
        """
        if self._is_token_of(account_id):
            raise UserError(
                "A token adds no user to its own account, who would outlast it: add it in the "
                "console. It may add users of accounts beneath."
            )
        self.services.limits.may_create_user(self.principal)
        made = generate_password() if password is None else None
        secret = made or password
        assert secret is not None  # noqa: S101 - one of the two
        try:
            user = self.services.users.create(login, account_id, secret, read_only=read_only)
        except LoginTaken:
            self.services.limits.taken_login(self.principal)
            raise
        after = audit_facts.user_created(user)
        self._note(Action.USER_CREATED, account_id, {}, after, target=user.login)
        return user, made

    def reset_password(self, login: str, password: SecretStr | None) -> SecretStr | None:
        """Store another password, which ends the sessions. Returns it where it was generated.

        Raises UserError for oneself: that takes the password one has now; and for a token in its
        own account.
        """
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        if self._is_token_of(user.account_id):
            raise UserError(
                "A token sets no password in its own account, by which it would outlast itself: "
                "reset it in the console. It may reset those of users of accounts beneath."
            )
        made = generate_password() if password is None else None
        secret = made or password
        assert secret is not None  # noqa: S101 - one of the two
        self.services.users.reset_password(login, secret)
        after = {"password": secret}
        self._note(Action.PASSWORD_RESET, user.account_id, {}, after, target=user.login)
        return made

    def set_user_disabled(self, login: str, *, disabled: bool) -> None:
        """Lock a user out, or let it in again.

        Raises UserError for oneself, and for a token that lets somebody of its own account in.
        """
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        if user.disabled and not disabled:
            self._refuse_token_of(user, "enables no user")
        self.services.users.set_disabled(login, disabled=disabled)
        action = Action.USER_DISABLED if disabled else Action.USER_ENABLED
        self._note(action, user.account_id, target=user.login)

    def set_read_only(self, login: str, *, read_only: bool) -> None:
        """Let a user only look, or change things too.

        Raises UserError for oneself, and for a token that lets somebody of its own account change
        things.
        """
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        if user.read_only and not read_only:
            self._refuse_token_of(user, "lets no user change things")
        self.services.users.set_read_only(login, read_only=read_only)
        before, after = {"read_only": user.read_only}, {"read_only": read_only}
        self._note(Action.USER_ROLE_SET, user.account_id, before, after, target=user.login)

    def reset_factor(self, login: str) -> None:
        """Forget a user's second factor; its sessions end.

        Raises UserError, also for oneself and for a token in its own account.
        """
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        self._refuse_token_of(user, "resets no second factor")
        if not self.services.factors.remove(user.login):
            words = _("%(login)s has no second factor: there is nothing to reset.")
            raise UserError(words % {"login": user.login})
        self._note(Action.FACTOR_RESET, user.account_id, target=user.login)

    def end_sessions(self, login: str) -> None:
        """End all sessions of a user. Raises UserError, also for oneself."""
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        self.services.users.end_sessions(login)
        self._note(Action.SESSIONS_ENDED, user.account_id, target=user.login)

    def remove_user(self, login: str) -> None:
        """Forget a user. Raises UserError for oneself."""
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        self.services.users.remove(login)
        self._note(Action.USER_REMOVED, user.account_id, target=user.login)

    def create_token(
        self,
        name: str,
        account_id: str | None,
        *,
        read_only: bool = False,
        days: int | None = None,
    ) -> tuple[str, SecretStr]:
        """Add a token: its id, and the secret that is shown once."""
        tokens = self.services.tokens
        token_id, secret = tokens.create(
            name, account_id, read_only=read_only, days=days, creator=self.principal.login
        )
        made = audit_facts.token_created(tokens.get(token_id))
        self._note(Action.TOKEN_CREATED, account_id, {}, made, target=token_id)
        return token_id, secret

    def revoke_token(self, token_id: str) -> None:
        """Forget a token."""
        token = self.services.tokens.get(token_id)
        self.services.tokens.revoke(token_id)
        self._note(
            Action.TOKEN_REVOKED, token.account_id, {"name": token.name}, {}, target=token_id
        )

    def _is_token_of(self, account_id: str | None) -> bool:
        """Whether a token of this very account acts, whose way in must end with it."""
        is_token = self.principal.login.startswith(TOKEN)
        return is_token and account_id == self.principal.account_id

    def _refuse_token_of(self, user: User, does: str) -> None:
        """Raises UserError where a token of the user's own account acts: whoever it let in, or let
        do more, would outlast it."""
        if self._is_token_of(user.account_id):
            raise UserError(
                f"A token {does} of its own account, who would outlast it: do it in the "
                "console. It may do it for users of accounts beneath."
            )

    def _refuse_oneself(self, login: str) -> None:
        """A token stands for its maker: it must not do without the password what that one cannot.

        Raises UserError.
        """
        if login.lower() == self.services.tokens.maker(self.principal.login):
            words = _(
                "%(login)s is who made this token: its password, second factor and sessions "
                "are changed in the console, or by another administrator."
            )
            raise UserError(words % {"login": login.lower()})
        if login.lower() == self.principal.login:
            raise UserError(
                _(
                    "This is for other users: your own password, second factor and sessions are "
                    "under your name above; another administrator can do the rest."
                )
            )
