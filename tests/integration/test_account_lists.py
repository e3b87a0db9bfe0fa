"""Many accounts on the pages and in the API: searched, filtered, sorted, paged, and still light."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from pymongo.database import Database

from consumers.ledger import Document
from tests.integration.console import Browser, Console, serving
from tests.integration.many_accounts import store_accounts, store_files
from tests.integration.platform import MakeCourier

MOST_BYTES = 130_000
"""Of a page, with however many accounts."""


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.ledger.ensure_indexes()
    with serving(courier) as console:
        console.user("provider", None)
        yield console


@pytest.fixture
def provider(console: Console) -> Browser:
    return console.browser("provider")


def database(console: Console) -> Database[Document]:
    return console.platform.core.database


def rows(page: str) -> list[str]:
    """The accounts of a page, from its first row to its last."""
    return re.findall(r'<tr data-key="([^"]*)"', page)


def test_a_list_goes_on_page_by_page_in_the_order_of_its_address(
    console: Console, provider: Browser
) -> None:
    ids = store_accounts(database(console), 120)
    store_files(database(console), ids[7:8], status="queued", each=3)

    first = provider.get("/overview", params={"sort": "account"}).text
    assert rows(first) == ids[:50]
    assert "Page 1 of 3: 120 accounts" in first
    assert 'href="/overview?sort=account&amp;page=2"' in first
    last = provider.get("/overview", params={"sort": "account", "page": "99"}).text
    assert rows(last) == ids[100:]
    assert rows(provider.get("/overview", params={"sort": "-queued"}).text)[0] == ids[7]
    urgent = rows(provider.get("/overview").text)
    assert set(urgent[:12]) == set(ids[9::10])
    assert 'aria-sort="descending"' in provider.get("/overview?sort=-account").text


def test_tiles_are_links_to_the_accounts_that_they_count(
    console: Console, provider: Browser
) -> None:
    ids = store_accounts(database(console), 30)
    store_files(database(console), ids[:2], status="dead_lettered", each=2)
    page = provider.get("/overview").text

    assert 'href="/overview?state=suspended"' in page
    assert rows(provider.get("/overview?state=suspended").text) == ids[9::10]
    assert 'href="/overview?dead_letters=yes"' in page
    assert set(rows(provider.get("/overview?dead_letters=yes").text)) == set(ids[:2])
    assert set(rows(provider.get("/overview?server=ftp9.customer.example").text)) == {ids[9]}
    assert set(rows(provider.get("/overview?cause=connection-refused").text)) == set(ids[9::10])
    assert rows(provider.get("/overview?whose=platform").text) == []


def test_a_folded_account_says_what_is_wrong_beneath_it(
    console: Console, provider: Browser
) -> None:
    console.platform.core.directory.create("reseller")
    store_accounts(database(console), 60, prefix="reseller.", parent="reseller")
    database(console)["accounts"].update_one({"_id": "reseller"}, {"$set": {"ftp_access": True}})

    page = provider.get("/accounts").text
    assert rows(page) == ["reseller"]
    assert "no FTP settings" in page
    assert "6 of 60 beneath suspended" in page
    suspended = re.search(r'href="([^"]*beneath=reseller[^"]*)"', page)
    assert suspended is not None
    assert len(rows(provider.get(suspended[1].replace("&amp;", "&")).text)) == 6
    unfolded = rows(provider.get("/accounts?open=reseller").text)
    assert unfolded[0] == "reseller"
    assert len(unfolded) == 50
    assert "Page 1 of 2" in provider.get("/accounts?open=*").text
    found = provider.get("/accounts", params={"search": "reseller.00017"}).text
    assert rows(found) == ["reseller", "reseller.00017"]


def test_dormant_accounts_are_told_apart_in_list_tile_tree_and_api(
    console: Console, provider: Browser
) -> None:
    console.platform.core.directory.create("reseller", ftp_access=True)
    ids = store_accounts(database(console), 40, prefix="reseller.", parent="reseller")
    asleep = ids[9]
    since = datetime(2026, 11, 20, 7, tzinfo=UTC)
    for each in (asleep, ids[0]):  # the other is active again: what is stored there is over
        of_run = {"$set": {"run.dormant_since": since}}
        database(console)["accounts"].update_one({"_id": each}, of_run)

    page = provider.get("/overview").text
    assert 'href="/overview?dormant=yes"' in page
    shown = provider.get("/overview?dormant=yes").text
    assert rows(shown) == [asleep]
    assert '<span class="badge suspended">dormant</span>' in shown
    assert "20 Nov 2026, 07:00:00 UTC" in shown
    tree = provider.get("/accounts?open=-").text
    assert "1 of 40 beneath dormant" in tree
    assert "4 of 40 beneath suspended" in tree
    assert rows(provider.get("/overview?beneath=reseller&dormant=yes").text) == [asleep]
    assert "dormant</span>" in provider.get(f"/accounts/{asleep}").text
    [listed] = console.program(None).get("/accounts", params={"dormant": "yes"}).json()
    assert (listed["account_id"], listed["state"]) == (asleep, "suspended")
    assert listed["dormant_since"] == "2026-11-20T07:00:00.000Z"
    assert provider.get("/overview?dormant=perhaps").status_code == 422


def test_a_small_tree_is_unfolded_until_somebody_folds_it(
    console: Console, provider: Browser
) -> None:
    store_accounts(database(console), 1)
    store_accounts(database(console), 2, prefix="sub", parent="acc00000")

    page = provider.get("/accounts").text
    assert rows(page) == ["acc00000", "sub00000", "sub00001"]
    assert 'href="/accounts?open=-"' in page
    assert rows(provider.get("/accounts?open=-").text) == ["acc00000"]


def test_an_account_says_for_which_reasons_it_is_disabled(
    console: Console, provider: Browser
) -> None:
    directory = console.platform.core.directory
    directory.create("above")
    directory.create("new", ftp_access=True)
    directory.create("sub", parent="new", ftp_access=True)
    directory.move("sub", "above")
    store_accounts(database(console), 1, prefix="off")
    directory.set_enabled("off00000", enabled=False)

    page = provider.get("/accounts?open=*").text
    for words in ("no FTP settings", "switched off", "no FTP access above it", "no FTP access, "):
        assert words in page, words
    api = console.program(None)
    shown = {each["account_id"]: each["disabled_by"] for each in api.get("/accounts").json()}
    assert shown == {
        "above": ["not-granted", "no-settings"],
        "new": ["no-settings"],
        "off00000": ["switched-off"],
        "sub": ["not-granted-above", "no-settings"],
    }
    console.platform.core.ledger.accounts.pause("off00000")
    assert "<small>switched off, paused</small>" in provider.get("/accounts?open=*").text
    asked = {"disabled": "not-granted-above"}
    assert [each["account_id"] for each in api.get("/accounts", params=asked).json()] == ["sub"]


def test_the_api_pages_through_the_same_list_by_the_link_to_the_next(console: Console) -> None:
    ids = store_accounts(database(console), 25)
    store_files(database(console), ids[3:4], status="queued", each=2)
    api = console.program(None)

    def pages(**asked: str) -> Iterator[list[str]]:
        answer = api.get("/accounts", params={**asked, "limit": "10"})
        while True:
            yield [each["account_id"] for each in answer.json()]
            if "next" not in answer.links:
                return
            answer = api.get(f"{console.url}{answer.links['next']['url']}")

    assert [name for page in pages() for name in page] == ids
    assert [len(page) for page in pages()] == [10, 10, 5]
    by_queue = [name for page in pages(sort="-queued") for name in page]
    assert by_queue[0] == ids[3]
    assert sorted(by_queue) == ids
    empty = {"state": "", "search": "", "sort": "", "cursor": ""}
    assert len(api.get("/accounts", params=empty).json()) == 25
    asked = {"state": "suspended", "search": "customer 9"}
    assert {each["account_id"] for each in api.get("/accounts", params=asked).json()} == {
        "acc00009",
        "acc00019",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "<script>"}, "state"),
        ({"search": "x" * 3000}, "search"),
        ({"sort": "password"}, "sort"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cause": "no-such"}, "cause"),
        ({"beneath": "../.."}, "beneath"),
        ({"limit": "many"}, "limit"),
    ],
)
def test_what_cannot_be_meant_is_answered_by_a_sentence(
    console: Console, provider: Browser, query: dict[str, str], field: str
) -> None:
    answer = console.program(None).get("/accounts", params=query)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert "<script>" not in answer.text
    if field not in {"cursor", "limit"}:
        for page in ("/overview", "/accounts"):
            shown = provider.get(page, params=query)
            assert shown.status_code == 422
            assert "data-sentence" in shown.text
            assert "<script>alert" not in shown.text
    assert provider.get("/overview", params={"page": "x"}).status_code == 422


def _weights(browser: Browser) -> dict[str, int]:
    pages = ("/overview", "/accounts", "/accounts?open=*", "/overview?sort=-failures&page=3")
    answers: dict[str, httpx.Response] = {page: browser.get(page) for page in pages}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {page: len(answer.content) for page, answer in answers.items()}


def _asked(console: Console, browser: Browser, page: str) -> Counter[str]:
    """How often the database was asked for a page; continued answers are not counted."""
    database(console).command("profile", 2)
    try:
        browser.get(page)
    finally:
        database(console).command("profile", 0)
    found = database(console)["system.profile"].find({"op": {"$in": ["query", "command"]}})
    asked = Counter(each["ns"] for each in found if each["ns"].endswith(("accounts", "deliveries")))
    database(console).drop_collection("system.profile")
    return asked


def test_pages_of_two_thousand_accounts_are_as_light_as_those_of_a_hundred(
    console: Console, provider: Browser
) -> None:
    store_accounts(database(console), 100)
    few = {page: _asked(console, provider, page) for page in ("/overview", "/accounts")}
    store_accounts(database(console), 1000, prefix="beneath", parent="acc00000")
    store_accounts(database(console), 900, prefix="more")

    assert {page: _asked(console, provider, page) for page in few} == few
    assert all(sum(asked.values()) <= 5 for asked in few.values())
    for page, weight in _weights(provider).items():
        assert weight < MOST_BYTES, page
