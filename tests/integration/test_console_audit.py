"""The audit on pages and in the API: sentences, filters, pages, nothing secret, nothing hostile."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bson import ObjectId

from config.audit import Action, AuditFilter
from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier

HOSTILE = '<script>alert(1)</script>"\r\nadmin removed %(who)s everything\u202e'


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    courier.core.directory.create("other", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", None)
        console.user("anna@acme.example", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("admin")


def test_a_change_is_one_sentence_and_its_secret_is_none_of_it(
    console: Console, browser: Browser
) -> None:
    before = {"host": "ftp.old", "enabled": True}
    after = {"host": "ftp.new", "password": "s3cret-word", "enabled": True}
    console.services.audit.record(
        "anna@acme.example", Action.SETTINGS_SAVED, "acme", before, {**before, "host": "ftp.new"}
    )
    console.services.audit.record("admin", Action.SETTINGS_SAVED, "acme", before, after)

    page = browser.get("/audit").text
    assert "<strong>anna@acme.example</strong> changed <span>Host</span> of" in page
    assert "from <span>ftp.old</span> to <span>ftp.new</span></p>" in page
    assert "changed <span>2</span> FTP settings of" in page
    assert "<span>Password</span>: set anew" in page
    assert "s3cret-word" not in page
    assert "settings.saved" not in page

    own = console.browser("anna@acme.example").get("/accounts/acme/audit").text
    assert "<strong>anna@acme.example</strong> changed <span>Host</span> of" in own


def test_what_is_hostile_breaks_no_page(console: Console, browser: Browser) -> None:
    console.services.audit.record(
        HOSTILE, Action.ACCOUNT_RENAMED, "acme", {"name": "x"}, {"name": HOSTILE * 200}
    )
    console.platform.core.database["audit"].insert_one(
        {
            "_id": ObjectId(),
            "at": datetime.now(UTC),
            "actor": "anna@acme.example",
            "action": "widget.<b>frobbed</b>",
            "account_id": "acme",
            "target": HOSTILE,
            "before": {HOSTILE: None},
            "after": {HOSTILE: {"a": [HOSTILE]}},
        }
    )
    answer = browser.get("/audit")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<b>frobbed" not in answer.text
    assert "widget &lt;b&gt;frobbed" in answer.text
    assert "\u202e" not in answer.text
    assert len(answer.content) < 60_000


def test_it_is_filtered_by_who_what_which_account_and_when(
    console: Console, browser: Browser
) -> None:
    audit = console.services.audit
    for actor, action, account_id in (
        ("anna@acme.example", Action.ACCOUNT_PAUSED, "acme"),
        ("admin", Action.ACCOUNT_RESUMED, "acme"),
        ("cli:root", Action.NUMBER_REMOVED, "other"),
    ):
        audit.record(actor, action, account_id, target="+441632960001")
    old = datetime.now(UTC) - timedelta(days=40)
    entries = console.platform.core.database["audit"]
    entries.update_one({"action": "account.resumed"}, {"$set": {"at": old}})

    def told(query: str) -> str:
        answer = browser.get(f"/audit?{query}", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        page: str = answer.text
        return page

    assert "paused" in told("who=anna")
    assert "resumed" not in told("who=anna")
    assert "root at the command line" in told("who=root")
    assert "took the number" in told("what=numbers")
    assert "paused" not in told("what=numbers")
    assert "took the number" not in told("account=acme")
    assert "resumed" in told(f"until={old:%Y-%m-%d}")
    assert "paused" not in told(f"until={old:%Y-%m-%d}")
    assert "resumed" not in told(f"since={datetime.now(UTC):%Y-%m-%d}")
    assert "Nothing matches" in told("who=nobody")
    for query in (
        "who=" + "x" * 101,
        "what=all",
        "since=tomorrow",
        "since=2026-02-02&until=2026-02-01",
    ):
        answer = browser.get(f"/audit?{query}")
        assert answer.status_code == 422, query
        assert "fault of the program" not in answer.text


def test_pages_follow_each_other_and_keep_the_filter(console: Console, browser: Browser) -> None:
    for number in range(120):
        console.services.audit.record(
            "anna@acme.example", Action.NUMBER_REMOVED, "acme", target=f"+4416329{number:05}"
        )
        console.services.audit.record("admin", Action.ACCOUNT_PAUSED, "other")
    where, seen = "/audit?what=numbers", []
    for _ in range(3):
        page = browser.get(where, headers={"HX-Request": "true"}).text
        assert "paused" not in page
        seen += [part.split("<")[0] for part in page.split("took the number <span>")[1:]]
        links = [part.split('"')[0] for part in page.split('href="')[1:] if "before=" in part[:80]]
        where = links[-1].replace("&amp;", "&") if links else ""
    assert where == ""
    assert seen == [f"+4416329{number:05}" for number in reversed(range(120))]


def test_the_api_has_the_sentence_beside_the_facts(console: Console) -> None:
    console.services.audit.record(
        "anna@acme.example", Action.DEAD_LETTERS_REPLAYED, "acme", {}, {"count": 40}
    )
    console.services.audit.record("admin", Action.ACCOUNT_PAUSED, "acme")
    provider, own = console.program(None), console.program("acme")
    [entry] = provider.get("/audit", params={"action": "dead-letters.replayed"}).json()
    assert entry["after"] == {"count": 40}
    assert entry["sentence"] == "anna@acme.example replayed 40 dead letters of acme"
    [same] = own.get("/audit", params={"actor": "anna"}).json()
    assert same["sentence"] == "anna@acme.example put 40 skipped files of acme on their way again"
    assert provider.get("/audit", params={"action": "x"}).status_code == 422
    wrong = {"since": "2026-11-23T00:00:00Z", "until": "2026-11-22T00:00:00Z"}
    assert provider.get("/audit", params=wrong).status_code == 422


def test_a_filter_reads_an_index_and_sorts_nothing(console: Console) -> None:
    audit = console.services.audit
    for number in range(50):
        audit.record(f"user{number:02}", Action.ACCOUNT_PAUSED, "acme")
    filters = (
        AuditFilter(),
        AuditFilter(actor="user0"),
        AuditFilter(actions=(Action.ACCOUNT_PAUSED, Action.ACCOUNT_RESUMED)),
        AuditFilter(since=datetime.now(UTC) - timedelta(days=1)),
    )
    entries = console.platform.core.database["audit"]
    for chosen in filters:
        assert len(list(audit.list(None, 5, chosen=chosen))) == 5
        query = {"$and": [{}, *audit._parts(chosen)]}
        plan = entries.find(query).sort([("at", -1), ("_id", -1)]).limit(5).explain()
        stages = str(plan["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in stages
        assert "COLLSCAN" not in stages
        assert "'SORT'" not in stages


def test_a_look_that_takes_too_long_is_ended_with_what_to_do(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.services.audit, "_seconds", 0.000001)
    answer = browser.get("/audit")
    assert answer.status_code == 503
    assert "name an account, who did it or a shorter time as well" in answer.text
