"""The audit in sentences: each action, many fields at once, secrets, hostile and unknown facts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from config.audit import CHANGED, Action, Entry
from worker.console.audit_asked import TOPICS, actions_of, read_filter
from worker.console.audit_words import MOST_LINES, Told, entry_shape, for_customers, told

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
NOTHING: dict[str, Any] = {}


def entry(
    action: str,
    before: dict[str, Any] = NOTHING,
    after: dict[str, Any] = NOTHING,
    *,
    actor: str = "anna@acme.example",
    account_id: str | None = "acme",
    target: str | None = None,
) -> Entry:
    return Entry("0" * 24, AT, actor, action, account_id, target, before, after)


def lines(in_words: Told) -> list[str]:
    return [each.text for each in in_words.details]


SERVER = {"protocol": "sftp", "host": "h.example", "port": 22, "username": "u"}
SENTENCES: list[tuple[Entry, str]] = [
    (
        entry("settings.saved", {"host": "ftp.old"}, {"host": "ftp.new"}),
        "anna@acme.example changed Host of acme from ftp.old to ftp.new",
    ),
    (
        entry("settings.saved", {}, {"password": CHANGED}),
        "anna@acme.example set the password of the FTP settings of acme",
    ),
    (entry("account.paused"), "anna@acme.example paused acme"),
    (
        entry("dead-letters.replayed", {}, {"count": 40, "recordings": "a, b"}),
        "anna@acme.example replayed 40 dead letters of acme",
    ),
    (
        entry("dead-letters.discarded", {}, {"count": 1, "of": 3}, account_id=None),
        "anna@acme.example discarded 1 dead letter of several accounts",
    ),
    (
        entry("account.moved", {"parent": "north"}, {"parent": None}, actor="cli:root"),
        "root at the command line moved acme from beneath north to the top",
    ),
    (
        entry(
            "settings.tested",
            {},
            {**SERVER, "result": "failed: 530 Login"},
        ),
        "anna@acme.example tested sftp://u@h.example:22 for acme, and it failed: 530 Login",
    ),
    (
        entry(
            "number.set",
            {"method": "ftp"},
            {"method": "email"},
            target="+441632960001",
        ),
        "anna@acme.example changed the number +441632960001 of acme from FTP to Email",
    ),
    (
        entry("sign-in.failed", {}, {"times": 3, "addresses": ["192.0.2.1"]}, actor="unknown"),
        "Somebody failed to sign in with a login that does not exist",
    ),
    (
        entry("alerts.stopped", {}, {"times": 1, "addresses": []}, actor="mail:ops@acme.example"),
        "The reader of the e-mails to ops@acme.example stopped the alerts of acme to this address",
    ),
    (
        entry("bulk.begun", {}, {"act": "pause accounts", "of": 1200}, account_id=None),
        "anna@acme.example began to pause 1,200 accounts",
    ),
    (
        entry("account.traced", actor="cli:root"),
        "root at the command line listened to what is said to the server of acme",
    ),
    (
        entry("sessions.ended", target="anna@acme.example"),
        "anna@acme.example signed out everywhere",
    ),
    (entry("sessions.ended", target="bob"), "anna@acme.example ended all sessions of bob"),
]


@pytest.mark.parametrize(("one", "sentence"), SENTENCES)
def test_an_entry_is_a_sentence(one: Entry, sentence: str) -> None:
    assert told(one).sentence.text == sentence


def test_several_fields_are_a_line_each_and_no_secret_has_a_value() -> None:
    before = {"host": "ftp.old", "port": 21, "protocol": "ftp", "enabled": True}
    after = {"host": "ftp.new", "port": 22, "protocol": "sftp", "password": CHANGED}
    in_words = told(
        entry("settings.saved", {**before, "enabled": False}, {**after, "enabled": True})
    )

    assert in_words.sentence.text == "anna@acme.example changed 5 FTP settings of acme"
    assert lines(in_words) == [
        "FTP settings in use: from no to yes",
        "Host: from ftp.old to ftp.new",
        "Password: set anew",
        "Port: from 21 to 22",
        "Protocol: from FTP to SFTP",
    ]


def test_the_first_settings_tell_where_they_lead_and_what_is_unusual() -> None:
    after = {
        "enabled": True,
        "protocol": "ftp",
        "host": "ftp.new",
        "port": 21,
        "username": "u",
        "path": "calls",
        "max_uploads": 1,
        "in_flight": "suffix",
        "email_alerts": ["a@x.example", "b@x.example"],
        "password": CHANGED,
    }
    in_words = told(entry("settings.saved", {"enabled": False}, after))

    assert in_words.sentence.text.endswith(
        "saved the first FTP settings of acme: ftp://u@ftp.new:21"
    )
    assert "Email Alerts: a@x.example, b@x.example" in lines(in_words)
    assert "Path: calls" in lines(in_words)
    assert not [each for each in lines(in_words) if "suffix" in each or "Username" in each]


def test_a_part_of_what_was_chosen_is_told_as_that() -> None:
    one = entry("dead-letters.replayed", {}, {"count": 1, "of": 1, "cause": "not-writable"})
    assert lines(told(one)) == ["Cause: not-writable", "1 of 1 that were chosen"]
    assert lines(told(entry("dead-letters.replayed", {}, {"of": 3}))) == ["Chosen: 3"]


def test_a_customer_reads_the_customers_word() -> None:
    one = entry("dead-letters.replayed", {}, {"count": 2})
    assert told(one, for_customer=True).sentence.text == (
        "anna@acme.example put 2 skipped files of acme on their way again"
    )


@pytest.mark.parametrize(
    ("code", "is_told"), [("way-out-closed", False), ("login-refused", True), ("of-tomorrow", True)]
)
def test_a_customer_reads_the_cause_of_a_test_that_failed_by_the_platform(
    *, code: str, is_told: bool
) -> None:
    after = {**SERVER, "result": "failed: No way from 10.0.0.7", "cause": code}
    one = entry("settings.tested", {}, after)
    assert "10.0.0.7" in told(one).sentence.text
    assert not told(one).details
    seen = str(entry_shape(for_customers(one), told(one, for_customer=True)))
    assert ("10.0.0.7" in seen) == is_told
    assert ("The platform itself could not connect" in seen) != is_told


def test_what_is_hostile_stays_on_one_line_and_is_bounded() -> None:
    name = "a\r\nbob removed everything\u202e\x1b[2J %(who)s {0} <b>" + "x" * 5000
    in_words = told(entry("account.renamed", {"name": "old"}, {"name": name}))

    text = in_words.sentence.text
    assert text.startswith("anna@acme.example renamed acme from old to a\ufffd\ufffdbob")
    assert not {"\r", "\n", "\u202e", "\x1b"} & {*text}
    assert "%(who)s {0} <b>" in text
    assert len(text) < 300


def test_an_action_of_another_version_is_told_with_its_facts() -> None:
    facts = {"new_thing": "yes <b>", "other": ["a", "b"]}
    in_words = told(entry("widget.frobbed-twice", {"new_thing": None}, facts, target="x"))

    assert in_words.sentence.text == "anna@acme.example: widget frobbed twice, acme"
    assert lines(in_words) == ["x", "New thing: from none to yes <b>", "Other: a, b"]


def test_facts_without_end_are_bounded() -> None:
    facts = {f"fact{number}": "x" * 10_000 for number in range(500)}
    in_words = told(entry("widget.frobbed", {}, facts))
    assert len(in_words.details) == MOST_LINES
    assert all(len(each) < 300 for each in lines(in_words))


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_its_own_sentence_whatever_its_facts(action: Action) -> None:
    facts = {
        "name": "n",
        "parent": "p",
        "method": "ftp",
        "default_method": "email",
        "host_keys": ["SHA256:x"],
        "new_key": "SHA256:y",
        "recipients": ["a@x"],
        "count": 2,
        "of": 3,
        "left": 9,
        "rotated": 1,
        "act": "pause accounts",
    }
    whole = told(entry(action, facts, facts, target="t"))
    assert ": " + action.replace(".", " ").replace("-", " ") not in whole.sentence.text
    assert told(entry(action)).sentence.text, "not even without any"


def test_every_action_is_of_one_topic() -> None:
    of_topics = [each for topic in TOPICS for each in actions_of(topic)]
    assert sorted(of_topics) == sorted(Action)


def test_what_people_type_is_read_or_refused_in_a_sentence() -> None:
    chosen, account_id = read_filter(
        {"who": " Anna", "account": "acme", "what": "alerts", "since": "2026-11-23"}
    )
    assert (chosen.actor, account_id, chosen.since) == (
        "anna",
        "acme",
        datetime(2026, 11, 23, tzinfo=UTC),
    )
    for typed in (
        {"who": "x" * 101},
        {"account": "../x"},
        {"what": "everything"},
        {"since": "yesterday"},
        {"until": "9999-12-31"},
        {"since": "2026-11-23", "until": "2026-11-22"},
    ):
        with pytest.raises(Exception, match=r"\.$|: "):
            read_filter(typed)
