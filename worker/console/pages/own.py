"""What the pages about oneself share: the right, and the check of the password one has now."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from config.users import User
from worker.console.access import CSRF_FIELD, Form, PageAccess, Right
from worker.console.language import mark as N_
from worker.console.pages.entrance import (
    BUSY,
    Busy,
    address_of,
    device_of,
    is_right,
    note_failure,
    too_many,
)
from worker.console.pages.render import page
from worker.console.services import services_of

Oneself = Annotated[Principal, Depends(PageAccess(Right.OWN))]


_NOT_YOURS = N_("Your password is not right: nothing was done. Type the one that you sign in with.")


class Refused(Exception):
    """What was asked for is refused. Its text says why, `status` how HTTP says it."""

    def __init__(self, sentence: str, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> None:
        super().__init__(sentence)
        self.status = int(status)


def proved(principal: Principal, request: Request, form: Form) -> bool:
    """Whether it is the user who asks, and not somebody at a session left open: the password comes
    with the form, or was given in this session in the last five minutes (GitHub's "sudo mode").

    Without it a page asks for it (`asking`). Raises Refused where it is wrong.
    """
    sessions, session = services_of(request).sessions, request.state.session
    if not form.get("current"):
        return sessions.is_proved(session)
    confirmed(principal, request, form["current"])
    sessions.prove(session)
    return True


def asking(
    request: Request, where: str, form: Form, what: str, refusal: Refused | None = None
) -> Response:
    """The page that asks for the password, and then sends the form once more to `where`.

    It says `what` will be done by it: nobody is to finish unseen what somebody else has begun at
    the open session.
    """
    kept = {name: text for name, text in form.items() if name not in {CSRF_FIELD, "current"}}
    status = refusal.status if refusal else HTTPStatus.OK
    problem = str(refusal) if refusal else None
    values = {"where": where, "what": what, "kept": kept, "problem": problem}
    return page(request, "proof.html", status=int(status), **values)


def confirmed(principal: Principal, request: Request, password: str) -> User:
    """The user, who has given the password again: a session left open must not be enough.

    The limits are those of signing in. Raises Refused.
    """
    services, login, address = services_of(request), principal.login, address_of(request)
    device = device_of(request, login)
    wait = services.signins.attempt(login, address, device)
    if wait > 0:
        raise Refused(too_many(wait), HTTPStatus.TOO_MANY_REQUESTS)
    try:
        user = is_right(services, login, password, is_known=True)
    except Busy:
        raise Refused(BUSY, HTTPStatus.SERVICE_UNAVAILABLE) from None
    if user is None:
        note_failure(services, login, address)
        raise Refused(_NOT_YOURS)
    services.signins.succeeded(login, address, device)
    return user
