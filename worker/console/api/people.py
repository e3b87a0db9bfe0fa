"""Users of the console and tokens of the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, status
from pydantic import SecretStr

from config.permissions import Principal
from worker.console.access import ApiAccess, Right, check, of_token, of_user
from worker.console.api.models import AlertAddressShape, NewToken, TokenShape
from worker.console.api.user_models import NewUser, PasswordChange, UserChange, UserShape
from worker.console.people_acts import PeopleActs
from worker.console.services import Services, services_of
from worker.show import Shape, alert_address_shape, token_shape, user_shape

router = APIRouter()
Anyone = Annotated[Principal, Depends(ApiAccess(Right.SIGNED_IN))]
OverUser = Annotated[Principal, Depends(ApiAccess(Right.ADMINISTER, of_user))]
OverToken = Annotated[Principal, Depends(ApiAccess(Right.ADMINISTER, of_token))]
OverAccount = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
OfAccount = Annotated[str | None, Query(min_length=1, max_length=64)]


@router.get(
    "/users", response_model=list[UserShape], response_model_exclude_unset=True, tags=["users"]
)
def list_users(principal: Anyone, request: Request, account_id: OfAccount = None) -> list[Shape]:
    """Users of the accounts that the token may see, or of one of them."""
    services = services_of(request)
    return [
        user_shape(each) for each in services.users.list(_asked(services, principal, account_id))
    ]


@router.post(
    "/users",
    status_code=status.HTTP_201_CREATED,
    response_model=UserShape,
    response_model_exclude_unset=True,
    tags=["users"],
)
def create_user(principal: Anyone, request: Request, new: NewUser) -> Shape:
    """Add a user of an account beneath the token's; a provider's token adds those of any account.

    Those of the token's own account, who would outlast it, are added in the console (409).
    """
    services = services_of(request)
    check(services, Right.ADMINISTER, principal, new.account_id)
    acts = PeopleActs(services, principal)
    user, made = acts.create_user(new.login, new.account_id, new.password, read_only=new.read_only)
    return {**user_shape(user), **_once("password", made)}


@router.get(
    "/users/{login}", response_model=UserShape, response_model_exclude_unset=True, tags=["users"]
)
def show_user(_: OverUser, request: Request, login: str) -> Shape:
    """One user."""
    return user_shape(services_of(request).users.get(login))


@router.patch(
    "/users/{login}", response_model=UserShape, response_model_exclude_unset=True, tags=["users"]
)
def change_user(principal: OverUser, request: Request, login: str, change: UserChange) -> Shape:
    """Lock a user out or let it in again; let it only look, or change things too.

    Those of the token's own account are let in, or let change things, in the console (409): they
    would outlast it.
    """
    services = services_of(request)
    acts = PeopleActs(services, principal)
    # What lets it do more goes first: where that is refused, nothing is changed.
    if change.read_only is False:
        acts.set_read_only(login, read_only=False)
    if change.disabled is not None:
        acts.set_user_disabled(login, disabled=change.disabled)
    if change.read_only:
        acts.set_read_only(login, read_only=True)
    return user_shape(services.users.get(login))


@router.post(
    "/users/{login}/reset",
    response_model=UserShape,
    response_model_exclude_unset=True,
    tags=["users"],
)
def reset_user(
    principal: OverUser, request: Request, login: str, change: PasswordChange | None = None
) -> Shape:
    """Store another password; the user's sessions end.

    Those of the token's own account are reset in the console (409): it would outlast itself.
    """
    services = services_of(request)
    made = PeopleActs(services, principal).reset_password(
        login, change.password if change else None
    )
    return {**user_shape(services.users.get(login)), **_once("password", made)}


@router.delete("/users/{login}", status_code=status.HTTP_204_NO_CONTENT, tags=["users"])
def remove_user(principal: OverUser, request: Request, login: str) -> None:
    """Forget a user; its sessions end."""
    PeopleActs(services_of(request), principal).remove_user(login)


@router.get(
    "/tokens", response_model=list[TokenShape], response_model_exclude_unset=True, tags=["tokens"]
)
def list_tokens(principal: Anyone, request: Request, account_id: OfAccount = None) -> list[Shape]:
    """Tokens of the accounts that the token may see, or of one of them; never their secrets."""
    services = services_of(request)
    return [
        token_shape(each) for each in services.tokens.list(_asked(services, principal, account_id))
    ]


@router.post(
    "/tokens",
    status_code=status.HTTP_201_CREATED,
    response_model=TokenShape,
    response_model_exclude_unset=True,
    tags=["tokens"],
)
def create_token(principal: Anyone, request: Request, new: NewToken) -> Shape:
    """Make a token; its secret is in this answer and never shown again."""
    services = services_of(request)
    check(services, Right.ADMINISTER, principal, new.account_id)
    token_id, secret = PeopleActs(services, principal).create_token(
        new.name, new.account_id, read_only=new.scope == "read", days=new.days
    )
    return {**token_shape(services.tokens.get(token_id)), **_once("token", secret)}


@router.delete("/tokens/{token_id}", status_code=status.HTTP_204_NO_CONTENT, tags=["tokens"])
def revoke_token(principal: OverToken, request: Request, token_id: str) -> None:
    """Revoke a token: it opens nothing any more."""
    PeopleActs(services_of(request), principal).revoke_token(token_id)


@router.get(
    "/accounts/{account_id}/alert-addresses",
    response_model=list[AlertAddressShape],
    tags=["accounts"],
)
def alert_addresses(_: OverAccount, request: Request, account_id: str) -> list[Shape]:
    """What the readers of the account's alerts have said: stopped or confirmed, and since when."""
    found = services_of(request).alert_addresses.of(account_id)
    return [alert_address_shape(each) for each in found]


def _asked(services: Services, principal: Principal, account_id: str | None) -> list[str] | None:
    """The accounts whose users or tokens are asked for; None: all, the provider's included."""
    if account_id is not None:
        check(services, Right.ADMINISTER, principal, account_id)
        return [account_id]
    if principal.account_id is None:
        return None
    return services.ledger.summaries.ids(principal.account_id)


def _once(name: str, secret: SecretStr | None) -> Shape:
    return {} if secret is None else {name: secret.get_secret_value()}
