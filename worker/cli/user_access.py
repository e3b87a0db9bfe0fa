"""`courier users role|sessions|sign-out|reset-factor|disable|enable`."""

from enum import StrEnum
from typing import Annotated

import typer

from config.audit import Action
from config.factors import Factors
from config.secrets import Vault
from config.sessions import OpenSessions
from config.users import Users
from worker.cli import context, output
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.database import Core
from worker.show import session_shape

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="As 'users list' shows it.")]


class Role(StrEnum):
    """What a user may do with what it sees."""

    FULL = "full"
    READ_ONLY = "read-only"


def set_role(
    login: Login,
    role: Annotated[Role, typer.Argument(help="May it change things, or only look?")],
) -> None:
    """Let a user change things, or only look; it holds from its next request on."""
    read_only = role is Role.READ_ONLY
    with context.core() as core:
        user = _users(core).get(login)
        _users(core).set_read_only(login, read_only=read_only)
        before, after = {"read_only": user.read_only}, {"read_only": read_only}
        record(core, Action.USER_ROLE_SET, user.account_id, before, after, target=user.login)
    may = "look and change nothing" if read_only else "look and change things"
    output.say(f"The user {user.login} may {may} from now on.")


def list_sessions(login: Login, *, as_json: AsJson = False) -> None:
    """List where a user is signed in."""
    with context.core() as core:
        user = _users(core).get(login)
        found = [session_shape(each) for each in OpenSessions(core.database).of(user.login)]
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ("BROWSER", "FROM", "SINCE", "LAST USED"),
        [
            (
                each["browser"] or "(not noted)",
                each["address"] or "(not noted)",
                output.moment(each["began_at"]),
                output.moment(each["used_at"]),
            )
            for each in found
        ],
        empty=f"{user.login} is signed in nowhere.",
    )


def sign_out(login: Login) -> None:
    """End all sessions of a user; its tokens go on."""
    with context.core() as core:
        user = _users(core).get(login)
        _users(core).end_sessions(login)
        record(core, Action.SESSIONS_ENDED, user.account_id, target=user.login)
    output.say(f"All sessions of {user.login} have ended.")


def reset_factor(login: Login) -> None:
    """Forget the second factor of a user who has lost it; its sessions end.

    Its password alone signs it in then, until it sets up another one.
    """
    with context.core() as core:
        user = _users(core).get(login)
        if not Factors(core.database, Vault(core.settings.secret_keys)).remove(user.login):
            raise Refused(f"{user.login} has no second factor: there is nothing to reset.")
        record(core, Action.FACTOR_RESET, user.account_id, target=user.login)
    output.say(f"The second factor of {user.login} was forgotten, and its sessions have ended.")


def disable(login: Login) -> None:
    """Lock a user out: its sessions end, and its tokens open nothing until it is enabled."""
    user = _set_disabled(login, Action.USER_DISABLED)
    output.say(f"The user {user} was disabled, and its sessions have ended.")


def enable(login: Login) -> None:
    """Let a user in again who was disabled; its tokens open again too."""
    user = _set_disabled(login, Action.USER_ENABLED)
    output.say(f"The user {user} was enabled.")


def _set_disabled(login: str, action: Action) -> str:
    with context.core() as core:
        user = _users(core).get(login)
        _users(core).set_disabled(login, disabled=action is Action.USER_DISABLED)
        record(core, action, user.account_id, target=user.login)
    return user.login


def _users(core: Core) -> Users:
    return Users(core.database, core.directory.find)
