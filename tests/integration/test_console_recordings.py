"""Recordings are found on their pages, by the API and as CSV; what cannot be used is told."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from consumers.ledger import Ledger
from tests.integration.console import Browser, Console, serving
from tests.integration.ledger.rows import claimed, deliver_one, dies, opened, uploaded
from tests.integration.platform import MakeCourier

PAGE = "/recordings"
ACME = "/accounts/acme/recordings"
NUMBER = "+441632960001"


def call(ledger: Ledger, name: str, recorded_at: str, account_id: str = "acme") -> None:
    """A recording of the number."""
    told: dict[str, Any] = {
        "number": NUMBER,
        "recorded_at": recorded_at,
        "file_name": f"{name}.wav",
    }
    opened(ledger, name, account_id, **told)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    for name in ("acme", "other"):
        courier.core.directory.create(name, ftp_access=True)
    ledger = courier.core.ledger
    call(ledger, "early", "2026-11-23T14:04:59Z")
    call(ledger, "wanted", "2026-11-23T14:05:31Z")
    call(ledger, "=theirs", "2026-11-23T14:05:40Z", "other")
    dies(ledger, claimed(ledger, "early"))
    deliver_one(ledger, claimed(ledger, "wanted"), uploaded())
    with serving(courier) as console:
        console.user("provider", None)
        console.user("admin", "acme")
        yield console


@pytest.fixture
def provider(console: Console) -> Browser:
    return console.browser("provider")


def names(page: httpx.Response) -> list[str]:
    """The files that a page lists, in its order."""
    assert page.status_code == 200, page.text
    return re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', page.text)


def link(page: httpx.Response, words: str) -> str:
    found = re.search(rf'href="([^"]+)"[^>]*>{words}<', page.text)
    assert found, page.text
    return found[1].replace("&amp;", "&")


def test_where_is_the_call_of_1405_from_a_number_is_one_search(provider: Browser) -> None:
    asked = {
        "number": "01632 960 001",
        "since": "2026-11-23T14:05",
        "until": "2026-11-23T14:05",
        "account_id": "acme",
    }
    found = provider.get(PAGE, params=asked)
    assert names(found) == ["wanted.wav"]
    assert "1 recording." in found.text
    assert 'value="01632 960 001"' in found.text
    assert names(provider.get(PAGE, params={**asked, "account_id": ""})) == [
        "=theirs.wav",
        "wanted.wav",
    ]


def test_a_customer_finds_its_own_and_reads_its_own_words(console: Console) -> None:
    browser = console.browser("admin")
    found = browser.get(ACME, params={"number": NUMBER})
    assert names(found) == ["wanted.wav", "early.wav"]
    assert "skipped</span>" in found.text
    assert "dead letter" not in found.text.lower()
    assert "Your server" in found.text
    assert names(browser.get(ACME, params={"account_id": "other"})) == ["wanted.wav", "early.wav"]
    assert browser.get(PAGE).status_code == 403
    assert browser.get("/recordings.csv").status_code == 403
    assert browser.get("/accounts/other/recordings").status_code == 404
    assert browser.get("/accounts/other/recordings.csv").status_code == 404


def test_a_number_that_no_recording_has_is_looked_for_in_names(provider: Browser) -> None:
    asked = {"number": "+44 1632 960777", "since": "2026-11-23"}
    names_link = link(provider.get(PAGE, params=asked), "look for 632960777 in the names of files")
    assert "since=2026-11-23" in names_link
    assert "file_name=%2A632960777" in names_link
    assert "&amp;number=" not in names_link
    nothing = provider.get(PAGE, params={"file_name": "*nothing"})
    assert "in the names of files" not in nothing.text


def test_what_is_not_to_be_seen_is_headed_by_words_of_people(console: Console) -> None:
    browser = console.browser("admin")
    for where, head in (
        (PAGE, "Not permitted"),
        ("/accounts/other/recordings", "Not found"),
        ("/overview?sort=sideways", "That did not work"),
    ):
        answer = browser.get(where)
        assert f"<h1>{head}</h1>" in answer.text
        assert f"<title>{head}" in answer.text


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ({}, ["=theirs.wav", "wanted.wav", "early.wav"]),
        ({"order": "oldest"}, ["early.wav", "wanted.wav", "=theirs.wav"]),
        ({"by": "arrived", "order": "oldest"}, ["early.wav", "wanted.wav", "=theirs.wav"]),
        ({"file_name": "wan"}, ["wanted.wav"]),
        ({"file_name": "*ANT*"}, ["wanted.wav"]),
        ({"recording_id": "early"}, ["early.wav"]),
        ({"status": "dead_lettered"}, ["early.wav"]),
        ({"status": "delivered", "account_id": "other"}, []),
        ({"until": "2026-11-22"}, []),
        ({"number": "960002"}, []),
    ],
)
def test_each_field_finds(provider: Browser, typed: dict[str, str], found: list[str]) -> None:
    page = provider.get(PAGE, params=typed)
    assert names(page) == found
    assert ("No recording matches" in page.text) == (not found)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("number", "12", "at least 4 digits"),
        ("number", "<script>alert(1)</script>", "at least 4 digits"),
        ("file_name", "x" * 5000, "longer than 300"),
        ("status", "$ne", "Choose one of these"),
        ("whose", "nobody", "Choose one of these"),
        ("since", "tomorrow", "This is no time"),
        ("until", "9999-12-31", "This is no time"),
        ("recording_id", "a\x00b", "cannot be typed"),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_field(
    provider: Browser, field: str, text: str, words: str
) -> None:
    page = provider.get(PAGE, params={field: text})
    assert page.status_code == 422
    beside = re.search(rf'<p class="wrong" id="{field}-error">([^<]*)</p>', page.text)
    assert beside
    assert words in beside[1]
    assert "<script>alert" not in page.text
    assert "Nothing was searched" in page.text


def test_times_the_wrong_way_round_are_told(provider: Browser) -> None:
    page = provider.get(PAGE, params={"since": "2026-11-24", "until": "2026-11-23"})
    assert page.status_code == 422
    assert "The end must be later than the beginning" in page.text


def test_pages_follow_each_other_and_beyond_the_last_there_is_a_sentence(
    console: Console, provider: Browser
) -> None:
    ledger = console.services.ledger
    for number in range(60):
        call(ledger, f"more-{number:02d}", f"2026-11-22T10:{number:02d}:00Z")
    first = provider.get(PAGE, params={"number": NUMBER, "account_id": "acme"})
    following = provider.get(link(first, "Next page"))
    assert names(first)[:2] == ["wanted.wav", "early.wav"]
    assert names(first) + names(following) == [
        "wanted.wav",
        "early.wav",
        *(f"more-{number:02d}.wav" for number in range(59, -1, -1)),
    ]
    assert "Next page" not in following.text
    assert names(provider.get(link(following, "First page"))) == names(first)

    beyond = provider.get(PAGE, params={"after": "0_" + "0" * 24})
    assert (beyond.status_code, "ends before this page" in beyond.text) == (200, True)
    wrong = provider.get(PAGE, params={"after": "page-7"})
    assert wrong.status_code == 422
    assert "no place in the list" in wrong.text
    assert names(provider.get(link(wrong, "First page")))[0] == "=theirs.wav"


def test_what_is_shown_comes_as_csv_that_no_spreadsheet_calculates(provider: Browser) -> None:
    page = provider.get(PAGE, params={"file_name": "*theirs"})
    address = link(page, "Download as CSV")
    answer = provider.get(address)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["recording_id"], row["file_name"]) == ("'=theirs", "'=theirs.wav")
    assert row["number"] == f"'{NUMBER}"
    assert row["recorded_at"] == "2026-11-23T14:05:40Z"

    name = parse_qs(urlsplit(address).query)["download"][0]
    assert "1 recording downloaded" in provider.get(f"/downloads?name={name}").text
    other = provider.get("/downloads?name=another").text
    assert "begins" in other
    assert "looks=1" in other, "the page counts how often it has asked"
    last = provider.get("/downloads?name=another&looks=30").text
    assert "has not begun" in last
    assert "hx-get" not in last, "and gives up"
    assert provider.get("/downloads?name=another&looks=-1").status_code == 422
    assert provider.get("/recordings.csv", params={"number": "1"}).status_code == 422


def test_csv_says_of_each_status_what_the_page_beside_it_says(console: Console) -> None:
    ledger = console.platform.core.ledger
    opened(ledger, "mailed", skipped=True, recorded_at="2026-11-23T14:07:00Z")
    german = console.browser("admin")
    german.headers["Accept-Language"] = "de"
    for reader, address, dead, mailed in (
        (console.browser("provider"), ACME, "dead letter", "left to e-mail"),
        (console.browser("admin"), ACME, "skipped", "left to e-mail"),
        (german, ACME, "übersprungen", "der E-Mail überlassen"),
        (console.program(None), "/deliveries", "dead letter", "left to e-mail"),
        (console.program("acme"), "/deliveries", "skipped", "left to e-mail"),
    ):
        if address == ACME:
            page = reader.get(address).text
            assert f"{dead}</span>" in page
            assert f"{mailed}</span>" in page
        asked = {"account_id": "acme", "order": "newest"}
        text = reader.get(f"{address}.csv", params=asked).text
        told = {row["recording_id"]: row["status"] for row in csv.DictReader(io.StringIO(text))}
        delivered = told.pop("wanted")
        assert told == {"early": dead, "mailed": mailed}
        assert delivered == ("zugestellt" if reader is german else "delivered")
    listed = console.program("acme").get("/deliveries").json()
    assert {each["status"] for each in listed} == {"skipped", "delivered", "dead_lettered"}


def test_where_the_platform_keeps_a_recording_is_the_operators_business(
    console: Console, provider: Browser
) -> None:
    address = f"{ACME}.csv"
    operators = provider.get(address).text.splitlines()
    customers = console.browser("admin").get(address).text.splitlines()
    assert "file_url" in operators[0]
    assert "file:///r/a.wav" in operators[1]
    assert "file_url" not in customers[0]
    assert len(customers) == len(operators) == 3
    program = console.program("acme")
    told = program.get("/deliveries.csv").text
    assert "file_url" not in told + customers[1]
    assert "file:///" not in told + str(customers)
    assert program.get("/deliveries/wanted").json()["file_url"] is None


def test_the_api_finds_the_same_page_by_page(console: Console) -> None:
    program = console.program(None)

    def found(**asked: Any) -> list[str]:
        answer = program.get("/deliveries", params=asked)
        assert answer.status_code == 200, answer.text
        return [each["recording_id"] for each in answer.json()]

    times = {"since": "2026-11-23T14:05:00Z", "until": "2026-11-23T14:06:00Z"}
    assert found(number="01632960001", by="recorded", account_id="acme", **times) == ["wanted"]
    assert found(file_name="*ant") == ["wanted"]
    assert found(whose="customer") == []
    assert found(order="oldest", limit=1) == ["early"]
    answer = program.get("/deliveries", params={"limit": 2, "number": NUMBER})
    assert [each["recording_id"] for each in answer.json()] == ["=theirs", "wanted"]
    [path] = re.findall('<([^>]+)>; rel="next"', answer.headers["Link"])
    answer = program.get(path.removeprefix("/api/v1"))
    assert [each["recording_id"] for each in answer.json()] == ["early"]
    assert "Link" not in answer.headers
    lines = program.get("/deliveries.csv", params={"number": NUMBER}).text.splitlines()
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"number": "1"}, "number"),
        ({"number": "1" * 65}, "number"),
        ({"file_name": "*"}, "file_name"),
        ({"file_name": "x" * 301}, "file_name"),
        ({"whose": "me"}, "whose"),
        ({"by": "1"}, "by"),
        ({"order": "up"}, "order"),
        ({"after": "1"}, "after"),
        ({"since": "2026-11-24T00:00Z", "until": "2026-11-23T00:00Z"}, "until"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_the_api_names_the_field_that_cannot_be_used(
    console: Console, asked: dict[str, str], field: str
) -> None:
    answer = console.program(None).get("/deliveries", params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["message"].endswith(".")


def test_tokens_of_an_account_find_its_own_alone(console: Console) -> None:
    tenant = console.program("acme")
    found = [each["recording_id"] for each in tenant.get("/deliveries").json()]
    assert found == ["wanted", "early"]
    assert tenant.get("/deliveries", params={"account_id": "other"}).status_code == 404
    assert tenant.get("/deliveries.csv", params={"account_id": "other"}).status_code == 404


def test_a_recording_whose_place_a_later_one_has_taken_is_shown_as_any_other(
    console: Console, provider: Browser
) -> None:
    """The customer lets files of one name be overwritten."""
    replaced = {"path": "call.wav", "by": "later", "at": datetime.now(UTC)}
    console.platform.core.database["deliveries"].update_one(
        {"_id": "wanted"}, {"$unset": {"remote_path": ""}, "$set": {"replaced": replaced}}
    )
    for url in (PAGE, ACME, "/accounts/acme", "/recordings/wanted"):
        page = provider.get(url)
        assert page.status_code == 200, url
        assert "took its place" in page.text, url
