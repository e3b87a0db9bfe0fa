"""What pages share that let somebody in: checks of passwords, their limits, and the new session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from fastapi import Request
from pydantic import SecretStr
from starlette.responses import Response

from config.audit import Action
from config.sessions import SESSION_SECONDS
from config.signins import GUESS_SECONDS, GUESSES
from config.users import User
from worker.console.access import SESSION_COOKIE, cookie_of
from worker.console.browsers import browser_of
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.pages.render import set_cookie
from worker.console.services import Services, services_of
from worker.console.sessions import DEVICE_SECONDS

WRONG = N_("Login or password is not right.")
BUSY = N_("Many people sign in at this moment: try again in a few seconds.")
DEVICE_COOKIE = "courier_device"
HASHING_SECONDS = 5.0
MAX_WAITING = 8
"""Most sign-ins that wait for a password check: the threads are for all pages."""
FAILURES_SECONDS, SUCCESSES_SECONDS = 3600, 60
"""Repeated failures within this time are one entry of the audit, with a count."""
UNKNOWN = "unknown"


class Busy(Exception):
    """Too many passwords are being checked."""


class _Room:
    """The limit of password checks at once: each takes 19 MiB and a processor."""

    def __init__(self, at_once: int) -> None:
        self._at_once = BoundedSemaphore(at_once)
        self._entrance = BoundedSemaphore(at_once + MAX_WAITING)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises Busy where there is no room within a few seconds."""
        if not self._entrance.acquire(blocking=False):
            raise Busy
        try:
            if not self._at_once.acquire(timeout=HASHING_SECONDS):
                raise Busy
            try:
                yield
            finally:
                self._at_once.release()
        finally:
            self._entrance.release()


_strangers, _known = _Room(2), _Room(1)
"""Sign-ins from known browsers do not queue behind guesses from unknown ones."""


def is_right(services: Services, login: str, password: str, *, is_known: bool) -> User | None:
    """The user, if the password is right; else None. Raises Busy."""
    with (_known if is_known else _strangers).enter():
        return services.users.verify(login, SecretStr(password))


def too_many(wait: float) -> str:
    """What is told where the next try has to wait for so many seconds."""
    seconds = max(1, round(wait))
    return _("Too many tries: wait %(seconds)s seconds, then try again.") % {"seconds": seconds}


def address_of(request: Request) -> str:
    """The address that the request comes from."""
    return request.client.host if request.client else "unknown"


def device_of(request: Request, login: str) -> str | None:
    """The user's known browser; None where this browser is not known."""
    return services_of(request).sessions.device(login, cookie_of(request, DEVICE_COOKIE))


def let_in(request: Request, user: User, answer: Callable[[], Response]) -> Response:
    """Begin a session of the user, and give its cookie to the browser with the answer.

    The session that the browser had before ends: an id from before a sign-in opens nothing after
    it (OWASP Session Management Cheat Sheet, "renew the session ID"). The answer's own forms are
    those of the new session.
    """
    services = services_of(request)
    before = services.sessions.read(cookie_of(request, SESSION_COOKIE), is_use=False)
    if before is not None:
        services.sessions.end(before)
    browser = browser_of(request.headers.get("user-agent", ""))
    cookie = services.sessions.begin(user, address_of(request), browser)
    request.state.session = services.sessions.read(cookie, is_use=False)
    response = answer()
    set_cookie(request, response, SESSION_COOKIE, cookie, seconds=SESSION_SECONDS)
    return response


def sign_in(request: Request, user: User, answer: Callable[[], Response]) -> Response:
    """The same for a user who has just proved who it is: noted, and the browser known from now."""
    services = services_of(request)
    services.audit.count(
        user.login,
        Action.SIGNED_IN,
        user.account_id,
        address_of(request),
        every=SUCCESSES_SECONDS,
    )
    response = let_in(request, user, answer)
    device = services.sessions.remember(user.login, cookie_of(request, DEVICE_COOKIE))
    set_cookie(request, response, DEVICE_COOKIE, device, seconds=DEVICE_SECONDS)
    return response


def note_failure(
    services: Services, login: str, address: str, action: Action = Action.SIGN_IN_FAILED
) -> None:
    """Note a failed sign-in in the audit, without an unknown login: it may be a mistyped password.

    A known and an unknown login cost the same number of database calls.
    """
    user = services.users.find(login)
    services.audit.count(
        UNKNOWN,
        action,
        user.account_id if user else None,
        address,
        every=FAILURES_SECONDS,
        target=user.login if user else None,
    )


def note_wrong_code(services: Services, user: User, address: str) -> None:
    """Note a wrong code of the second factor, which whoever gives it needs the password for.

    Where there are many, the user is told by e-mail, once a day; the audit has that as well. Only
    when both stand that is over: where a database call fails, the next wrong code does it again.
    """
    note_failure(services, user.login, address, Action.FACTOR_FAILED)
    warning = services.signins.guessed(user.login)
    if warning is None:
        return
    minutes = GUESS_SECONDS // 60
    told = services.outbox.store_guesses(
        user.login, address, count=GUESSES, minutes=minutes, once=warning
    )
    after = {"told": told, "address": address}
    services.audit.record(
        UNKNOWN,
        Action.FACTOR_GUESSED,
        user.account_id,
        {},
        after,
        target=user.login,
        once=f"{user.login} guessed {warning}",
    )
    services.signins.told(user.login)
