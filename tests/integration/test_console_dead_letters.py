"""The pages and the API of dead letters: by cause, chosen, asked for, dealt with."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from consumers.ledger import Claimant, LastError
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from tests.integration.console import Browser, Console, serving
from tests.integration.ledger.rows import AWAY, FAILED, claim_one, opened
from tests.integration.platform import MakeCourier
from transports.diagnosis import files, ours, reaching
from worker.console.pages import dead_letters

OF_ACME = "/accounts/acme/dead-letters"
REFUSED, NAMED, MISSING = (
    reaching.CONNECTION_REFUSED.code,
    files.FILE_REFUSED.code,
    ours.RECORDING_MISSING.code,
)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.ledger.ensure_indexes()
    for account_id in ("acme", "rival"):
        courier.core.directory.create(account_id, ftp_access=True)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        for number in range(3):
            dead(console, f"refused-{number}", replace(AWAY, cause=REFUSED))
        dead(console, "named", LastError("file", "553 <b>no</b>", "Rename it.", cause=NAMED))
        dead(console, "gone", LastError("source", "No such file", "Look.", cause=MISSING))
        dead(console, "rivals", replace(AWAY, cause=REFUSED), "rival")
        yield console


def dead(console: Console, recording_id: str, error: LastError, account_id: str = "acme") -> None:
    """A dead letter with its message."""
    ledger, messaging = console.services.ledger, console.services.messaging
    opened(ledger, recording_id, account_id)
    claim = claim_one(ledger, recording_id, 1, Claimant("w", "s", 1))
    assert claim is not None
    messaging.dead_letters.bury(claim.routing, 5, error.kind)
    assert ledger.outcomes.dead_lettered(claim, replace(FAILED, error=error), None)


def read(browser: Browser, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def asked(browser: Browser, where: str, **fields: str) -> dict[str, str]:
    """The form of the page that asks before anything is done."""
    answer = browser.send_form(f"{where}/confirm", **fields)
    assert answer.status_code == 200, answer.text
    named = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
    found = {name: html.unescape(value) for name, value in named}
    return {**found, "question": html.unescape(answer.text.split("<h1>")[1].split("</h1>")[0])}


def answer(browser: Browser, where: str, form: dict[str, str]) -> str:
    """Say yes to it, and read what the next page tells."""
    fields = {name: value for name, value in form.items() if name not in {"question", "csrf"}}
    return browser.notice(f"{where}/act", **fields)


def statuses(console: Console, account_id: str = "acme") -> dict[str, str]:
    return {row["_id"]: row["status"] for row in console.platform.rows(account_id)}


def test_operators_see_those_of_all_accounts_by_cause_and_fault(console: Console) -> None:
    text = read(console.browser("operator"), "/dead-letters")
    assert "Dead letters" in text
    assert "skipped" not in text.replace('class="skip"', "").lower().replace("skip to", "")
    for entry in (reaching.CONNECTION_REFUSED, files.FILE_REFUSED, ours.RECORDING_MISSING):
        assert entry.cause in text
        assert entry.next_step in text
    assert "customer's server" in text
    assert "Replay all 6" in text
    assert 'href="/recordings/rivals"' in text
    assert "<b>no</b>" not in console.browser("operator").get("/dead-letters").text


def test_a_list_of_very_many_is_not_counted_to_its_end(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MOST_COUNTED", 3)
    text = read(console.browser("operator"), "/dead-letters")
    assert "More than 3 dead letters" in text
    assert "Replay all<" in text
    form = asked(console.browser("operator"), "/dead-letters", do="replay")
    assert form["question"] == "Replay 6 dead letters?"
    lists = console.services.ledger.dead_letter_lists
    counted = [lists.page_and_count(DeadLetterFilter(), 1, None, most) for most in (3, 6)]
    assert [total for _, total in counted] == [4, 6]


def test_customers_read_of_skipped_files_and_whose_fault_they_are(console: Console) -> None:
    browser = console.browser("admin")
    text = read(browser, OF_ACME)
    assert "5 skipped files" in text
    assert "dead letter" not in re.sub(r"<[^>]*>", "", text).lower()
    for words in ("your server", "this file", "our platform"):
        assert words in text
    assert "rivals" not in text
    assert browser.get("/dead-letters").status_code == 403
    assert browser.get("/accounts/rival/dead-letters").status_code == 404
    activity = read(browser, "/accounts/acme")
    assert "your server" in activity
    assert files.FILE_REFUSED.next_step in activity


def test_customers_are_advised_nothing_that_is_the_operators(console: Console) -> None:
    broker = LastError.ours("RabbitMQ refuses: queue q-7", ours.QUEUE_UNUSABLE)
    dead(console, "queued", broker)
    dead(console, "crashed", replace(AWAY, kind="crash-loop", cause=""))
    console.platform.core.ledger.accounts.queue_broken("acme", "routing", "queue q-7")
    own = console.program("acme")
    customers = [read(console.browser("admin"), page) for page in (OF_ACME, "/accounts/acme")] + [
        own.get(path).text
        for path in (
            "/dead-letters",
            "/dead-letters/groups",
            "/accounts",
            "/accounts/acme",
            "/deliveries",
            "/deliveries/queued",
        )
    ]
    for text in customers:
        for inner in ("RabbitMQ", "q-7", "in the log", "pipeline", "file:///"):
            assert inner not in text
    told = {each["cause"]: each["next_step"] for each in own.get("/dead-letters/groups").json()}
    assert told[ours.QUEUE_UNUSABLE.code] == told["crash-loop"] == ours.FOR_OPERATORS_ALONE
    assert own.get("/accounts/acme").json()["last_error_advice"] == ours.FOR_OPERATORS_ALONE
    operators = console.program(None)
    assert "RabbitMQ" in operators.get("/accounts/acme").json()["last_error_advice"]
    groups = operators.get("/dead-letters/groups").json()
    assert any("in the log" in each["next_step"] for each in groups)
    assert operators.get("/deliveries/queued").json()["file_url"] == "file:///r/a.wav"


def test_the_filter_in_the_address_narrows_the_list(console: Console) -> None:
    browser = console.browser("operator")

    def listed(query: str) -> set[str]:
        text = read(browser, f"/dead-letters?{query}")
        return set(re.findall(r'href="/recordings/([^"]+)"', text))

    everything = {"refused-0", "refused-1", "refused-2", "named", "gone", "rivals"}
    assert listed("") == everything
    assert listed("account=rival") == {"rivals"}
    assert listed("fault=file") == {"named"}
    assert listed("fault=platform&account=acme") == {"gone"}
    assert listed(f"cause={REFUSED}&account=acme") == {f"refused-{n}" for n in range(3)}
    assert listed("since=2020-01-01T00:00Z&until=2100-01-01") == everything
    assert listed("until=2020-01-01") == set()
    assert listed("account=nobody") == set()
    assert listed("before=gone&account=acme") == everything - {"gone", "rivals"}
    assert listed("before=nobodys") == set()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=yesterday", "must be a day or a time"),
        ("since=0001-01-01T00:00%2B14:00", "must be a day or a time"),
        ("since=2026-02-01&until=2026-01-01", "Nothing lies between"),
        ("fault=god", "must be server, file or platform"),
        (f"cause={'x' * 300}", "is too long"),
        ("fault=%00%ff", "must be server, file or platform"),
        (
            "whose=customer",
            "no filter 'whose' here. There are: account, cause, fault, since, until.",
        ),
        ("fualt=file&account=acme", "no filter 'fualt' here"),
        (f"{'<x>' * 100}=1", "no filter '<x><x>"),
    ],
)
def test_a_filter_that_cannot_be_is_told_in_a_sentence(
    console: Console, query: str, words: str
) -> None:
    for login, where in (("operator", "/dead-letters"), ("admin", OF_ACME)):
        refused = console.browser(login).get(f"{where}?{query}")
        assert refused.status_code == 422
        assert words in html.unescape(refused.text)


def test_ticked_ones_are_asked_for_with_their_number_and_replayed(console: Console) -> None:
    browser = console.browser("admin")
    form = asked(browser, OF_ACME, do="replay", of="picked", pick1="refused-0", pick2="named")
    assert form["question"] == "Replay 2 skipped files?"
    assert set(statuses(console).values()) == {"dead_lettered"}, "nothing is done before the answer"
    assert answer(browser, OF_ACME, form) == "2 of 2 on their way again."
    assert statuses(console)["refused-0"] == statuses(console)["named"] == "queued"
    again = answer(browser, OF_ACME, form)
    assert again == "2 of 2 on their way again.", "the same form once more is the same decision"
    assert console.actions("acme") == ["dead-letters.replayed", "bulk.begun"]


def test_a_group_and_all_that_match_are_discarded(console: Console) -> None:
    browser = console.browser("operator")
    form = asked(browser, "/dead-letters", do="discard", cause=REFUSED, fault="server")
    assert form["question"] == "Discard 4 dead letters?"
    assert answer(browser, "/dead-letters", form) == "4 of 4 discarded."
    assert statuses(console, "rival") == {"rivals": "discarded"}
    form = asked(browser, "/dead-letters", do="discard", account="acme")
    assert form["question"] == "Discard 2 dead letters?"
    answer(browser, "/dead-letters", form)
    assert set(statuses(console).values()) == {"discarded"}
    console.platform.wait_length("dead-letters.acme", 0)
    entry = next(iter(console.services.audit.list(None, 1)))
    assert entry.after == {"count": 2, "of": 2, "account_id": "acme"}
    assert "There are none" in browser.get("/dead-letters").text


def test_what_dies_between_the_question_and_the_answer_is_left(console: Console) -> None:
    browser = console.browser("operator")
    form = asked(browser, "/dead-letters", do="discard", account="acme")
    assert form["question"] == "Discard 5 dead letters?"
    dead(console, "later", replace(AWAY, cause=REFUSED))

    assert answer(browser, "/dead-letters", form) == "5 of 5 discarded."

    assert statuses(console)["later"] == "dead_lettered"
    form = {**form, "action_id": "another-action-of-mine", "asked_at": "yesterday"}
    told = html.unescape(answer(browser, "/dead-letters", form))
    assert "'asked_at' must be a day or a time" in told


def test_a_form_of_nothing_is_told(console: Console) -> None:
    browser = console.browser("admin")
    assert "Tick at least one" in browser.notice(f"{OF_ACME}/confirm", do="replay", of="picked")
    assert "Nothing is left" in browser.notice(
        f"{OF_ACME}/confirm", do="replay", of="picked", pick1="rivals"
    )
    assert "Nothing is left" in browser.notice(f"{OF_ACME}/act", do="discard", cause="no-such")
    assert browser.send_form(f"{OF_ACME}/confirm", do="explode").status_code == 404
    assert statuses(console, "rival") == {"rivals": "dead_lettered"}


def test_a_customers_form_cannot_reach_another_account(console: Console) -> None:
    browser = console.browser("admin")
    browser.notice(f"{OF_ACME}/act", do="discard", account="rival")
    assert statuses(console, "rival") == {"rivals": "dead_lettered"}
    operator = console.browser("operator")
    form = asked(operator, "/dead-letters", do="replay", account="rival")
    answer(operator, "/dead-letters", form)
    stolen = console.browser("admin").send_form(
        f"{OF_ACME}/act", do="replay", action_id=form["action_id"]
    )
    assert stolen.status_code == 303
    assert form["action_id"] not in stolen.headers["location"]
    theirs = f"/bulk-actions/{form['action_id']}"
    assert console.browser("admin").get(theirs).status_code == 404


def test_the_progress_is_there_after_a_reload_and_stops_on_demand(console: Console) -> None:
    actions = console.services.ledger.bulk_actions
    decision = console.program("acme").post("/dead-letters/discard").json()
    page = f"/bulk-actions/{decision['action_id']}"
    browser = console.browser("admin")
    text = read(browser, page)
    assert "5 of 5 discarded." in text
    assert "data-live" not in text.split('id="progress"')[1], "it is over"
    assert "is over already" in browser.notice(f"{page}/stop")
    found = actions.read(decision["action_id"])
    assert found is not None
    assert found.actor.startswith("token:")
    fragment = browser.get(page, headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith('<div id="progress"')


def test_the_api_lists_groups_and_decides(console: Console) -> None:
    api, own = console.program(None), console.program("acme")
    groups = own.get("/dead-letters/groups").json()
    assert [(each["cause"], each["fault"], each["files"]) for each in groups] == [
        (REFUSED, "server", 3),
        (NAMED, "file", 1),
        (MISSING, "platform", 1),
    ]
    assert groups[0]["next_step"] == reaching.CONNECTION_REFUSED.next_step
    [named] = own.get("/dead-letters", params={"fault": "file"}).json()
    assert (named["recording_id"], named["cause"], named["fault"]) == ("named", NAMED, "file")
    assert len(api.get("/dead-letters").json()) == 6
    first, *_ = api.get("/dead-letters", params={"limit": 1}).json()
    rest = api.get("/dead-letters", params={"before": first["recording_id"]}).json()
    assert len(rest) == 5

    begun = own.post("/dead-letters/replay", json={"fault": "file"})
    assert begun.status_code == 202
    action = own.get(f"/bulk-actions/{begun.json()['action_id']}").json()
    assert (action["state"], action["done"], action["total"]) == ("done", 1, 1)
    assert (action["subject"], action["act"], action["account_id"]) == (
        "dead-letters",
        "replay",
        "acme",
    )
    assert action["filter"] == {"account_id": "acme", "fault": "file"}
    assert [each["action_id"] for each in own.get("/bulk-actions").json()] == [action["action_id"]]
    assert console.program("rival").get("/bulk-actions").json() == []
    assert own.post("/dead-letters/replay", json={"fault": "file"}).status_code == 409
    assert own.post("/dead-letters/replay", params={"account_id": "rival"}).status_code == 404
    assert api.post("/dead-letters/discard", params={"account_id": "rival"}).json()["done"] == 1


def test_the_api_tells_what_cannot_be_asked(console: Console) -> None:
    api = console.program(None)
    wrong_way = {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    for path in ("/dead-letters", "/dead-letters/groups"):
        refused = api.get(path, params=wrong_way)
        assert refused.status_code == 422
        assert refused.json()["error"]["message"].startswith("Until must be later")
    assert api.post("/dead-letters/replay", json=wrong_way).status_code == 422
    assert api.get("/dead-letters", params={"fault": "nobody"}).status_code == 422
    assert api.get("/bulk-actions/none").status_code == 404
    reader = console.services.tokens.create("r", None, read_only=True)[1].get_secret_value()
    assert console.bearer(reader).post("/dead-letters/discard").status_code == 403


def test_an_account_without_permission_only_looks(console: Console) -> None:
    console.platform.core.directory.set_ftp_access("acme", granted=False)
    browser = console.browser("admin")
    text = read(browser, OF_ACME)
    assert "5 skipped files" in text
    assert "Replay" not in re.sub(r"<p class=\"lead\">.*?</p>", "", text)
    assert browser.send_form(f"{OF_ACME}/act", do="discard").status_code == 403
