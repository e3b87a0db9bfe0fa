"""What stands in the address of a page is what the page goes by, or is refused in a sentence."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.integration.console import Browser, Console, serving
from tests.integration.many_accounts import store_accounts
from tests.integration.platform import MakeCourier
from tests.integration.test_console_access import access_of, routes
from worker.console.access import PageAccess, Right

MISSPELT = "serach"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    store_accounts(courier.core.database, 60)
    with serving(courier) as console:
        console.user("operator", None)
        yield console


@pytest.fixture
def operator(console: Console) -> Browser:
    return console.browser("operator")


def test_every_page_refuses_what_it_does_not_have(console: Console, operator: Browser) -> None:
    seen = 0
    for route in routes(console):
        path, access = str(route.path).replace("{account_id}", "acc00000"), access_of(route)
        is_page = isinstance(access, PageAccess) and "GET" in (route.methods or ())
        if not is_page or access.right is Right.PUBLIC or "{" in path:
            continue
        answer = operator.get(path, params={MISSPELT: "x"})
        assert answer.status_code == 422, f"{path}: {answer.status_code}"
        assert f"There is no filter &#39;{MISSPELT}&#39; here" in answer.text, path
        seen += 1
    assert seen >= 20


def test_a_page_for_everybody_is_seen_whatever_a_mail_has_added_to_its_link(
    console: Console,
) -> None:
    for path in ("/sign-in", "/help", "/forgotten-password", "/alert-mail?token=x"):
        answer = console.nobody().get(f"{path}{'&' if '?' in path else '?'}utm_source=mail")
        assert answer.status_code != 422, path


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/overview", {"search": "acc", "state": "suspended", "sort": "-queued", "page": "2"}),
        ("/overview", {"server": "x", "beneath": "acc00000", "dead_letters": "yes", "kind": ""}),
        ("/accounts", {"open": "*", "sort": "account", "page": "2", "dormant": "yes"}),
        ("/charts", {"span": "weeks"}),
        ("/accounts/acc00000/charts", {"span": "hours"}),
        ("/audit", {"who": "operator", "what": "people", "since": "2026-11-01", "until": ""}),
        ("/accounts/acc00000/audit", {"what": "settings"}),
        ("/recordings", {"number": "960001", "by": "arrived", "whose": "customer"}),
        ("/accounts/acc00000/recordings", {"status": "", "order": "oldest", "account_id": ""}),
        ("/recordings.csv", {"file_name": "call", "download": "x"}),
        ("/dead-letters", {"fault": "file", "account": "acc00000", "cause": "", "since": ""}),
        ("/invalid-events", {"reason": "malformed", "account": "", "page": "1"}),
        ("/accounts/acc00000/ftp/preview", {"name_template": "{number}", "time_zone": "UTC"}),
        ("/accounts/acc00000/server", {"run": "x"}),
        ("/downloads", {"name": "x", "looks": "1"}),
    ],
)
def test_what_a_page_has_is_taken(operator: Browser, path: str, asked: dict[str, str]) -> None:
    answer = operator.get(f"{path}?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/charts?span=zzz", "must be hours or weeks."),
        ("/overview?state=asleep", "State must be one of"),
        ("/overview?fault=customer", "no filter &#39;fault&#39; here. There are: search, state,"),
        ("/audit?what=nothing", "choose from the list"),
        ("/recordings?fault=server", "There are: number, file_name, recording_id,"),
        ("/invalid-events?cause=x", "There are: reason, account."),
        (f"/charts?{'<x>' * 100}=1", "no filter &#39;&lt;x&gt;&lt;x&gt;"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(
    operator: Browser, address: str, words: str
) -> None:
    answer = operator.get(address)
    assert answer.status_code == 422
    assert words in answer.text
    assert "<x>" not in answer.text


def test_who_has_not_signed_in_signs_in_first(console: Console) -> None:
    answer = console.nobody().get(f"/overview?{MISSPELT}=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?to=%2Foverview")
