"""What a list of accounts shows for what was asked, and in which order."""

import base64
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import FieldRefused
from consumers.ledger import AccountSummary, Disabled
from tests.unit.worker.summaries import summary
from transports.diagnosis import Whose
from transports.diagnosis.reaching import CONNECTION_REFUSED
from worker.account_list import ORDERS, AccountFilter, Order, Place

ACCOUNTS = (
    summary("acme", name="Acme Ltd", queued=3, hours=5),
    summary("bell", state="suspended", failures=10, kind="account", cause=CONNECTION_REFUSED.code),
    summary("cove", state="paused", dead=7, host="SFTP.cove.example"),
    summary("dale", disabled=(Disabled.NO_SETTINGS,), host=""),
    summary("edge", disabled=(Disabled.NOT_GRANTED, Disabled.SWITCHED_OFF)),
    summary("fern", state="suspended", dormant=True, failures=12, queued=9, hours=2),
)


def found(**asked: str) -> list[str]:
    wanted = AccountFilter.of(asked)
    return [each.account_id for each in ACCOUNTS if wanted.takes(each)]


def sorted_by(order: str, accounts: Sequence[AccountSummary] = ACCOUNTS) -> list[str]:
    return [each.account_id for each in Order.of(order).sorted(accounts)]


def test_nothing_asked_for_is_every_account() -> None:
    assert found() == found(state="", search=" ") == [each.account_id for each in ACCOUNTS]
    assert AccountFilter.of({"search": "", "sort": "name"}).is_empty


def test_accounts_are_found_by_words_of_their_id_name_and_server() -> None:
    assert found(search="ltd ACME") == ["acme"]
    assert found(search="cove.example") == ["cove"]
    assert found(search="acme cove") == []
    assert found(search="(.*") == []


def test_accounts_are_filtered_by_state_reason_files_error_and_server() -> None:
    assert found(state="suspended") == ["bell", "fern"]
    assert found(disabled="switched-off") == ["edge"]
    assert found(disabled="no-settings") == ["dale"]
    assert found(dead_letters="yes") == ["cove"]
    assert found(queued="true") == ["acme", "fern"]
    assert found(cause=CONNECTION_REFUSED.code) == ["bell"]
    assert found(kind="account") == ["bell"]
    assert found(whose=CONNECTION_REFUSED.whose.value) == ["bell"]
    assert found(server="sftp.COVE.example") == ["cove"]
    assert found(state="suspended", queued="yes") == ["fern"]
    assert found(dormant="yes") == ["fern"]
    assert found(dormant="no") == found()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("search", "x" * 101),
        ("state", "asleep"),
        ("state", "<script>"),
        ("disabled", "because"),
        ("dead_letters", "perhaps"),
        ("whose", "mine"),
        ("kind", "bad"),
        ("cause", "no-such-cause"),
        ("server", "x" * 101),
        ("beneath", "a b"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(field: str, value: str) -> None:
    with pytest.raises(FieldRefused) as refusal:
        AccountFilter.of({field: value})
    assert refusal.value.field == field
    assert str(refusal.value).endswith(".")
    assert "<script>" not in str(refusal.value)


def test_the_most_urgent_come_first_and_a_minus_turns_an_order_round() -> None:
    assert sorted_by("urgency") == ["fern", "bell", "cove", "acme", "dale", "edge"]
    assert sorted_by("-failures")[:2] == ["fern", "bell"]
    assert sorted_by("-dead_letters")[0] == "cove"
    assert sorted_by("-queued")[:2] == ["fern", "acme"]
    assert sorted_by("-oldest")[:2] == ["acme", "fern"]
    assert sorted_by("account") == sorted_by("-account")[::-1]
    with pytest.raises(FieldRefused):
        Order.of("password")


def test_every_reason_and_whose_has_words() -> None:
    assert all(each.label for each in Disabled)
    assert all(found(whose=each.value) is not None for each in Whose)


@given(
    st.sampled_from([sign + name for name in ORDERS for sign in ("", "-")]),
    st.lists(
        st.builds(
            summary,
            st.text("ab", min_size=1, max_size=4),
            queued=st.integers(0, 2),
            failures=st.integers(0, 1),
            dead=st.integers(0, 1),
        ),
        unique_by=lambda each: each.account_id,
    ),
    st.integers(1, 3),
)
def test_page_after_page_by_cursors_is_the_whole_list(
    name: str, accounts: list[AccountSummary], size: int
) -> None:
    order = Order.of(name)
    whole = order.sorted(accounts)
    pages: list[AccountSummary] = []
    rest: Sequence[AccountSummary] = whole
    while rest:
        page = rest[:size]
        pages += page
        rest = order.after(order.cursor(page[-1]), whole)
    assert pages == whole


def test_a_cursor_holds_where_its_account_has_gone_meanwhile() -> None:
    order = Order.of("account")
    cursor = order.cursor(ACCOUNTS[1])
    left = [each for each in ACCOUNTS if each.account_id != "bell"]
    assert next(each.account_id for each in order.after(cursor, left)) == "cove"


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "-" * 4000,
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(json.dumps(["account", 7, "a"]).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps(["queued", 7, "a"]).encode()).decode(),
        base64.urlsafe_b64encode(json.dumps({"a": 1}).encode()).decode(),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
    ],
)
def test_a_cursor_that_the_list_did_not_give_is_refused(cursor: str) -> None:
    order = Order.of("account")
    with pytest.raises(FieldRefused) as refusal:
        order.after(cursor, order.sorted(ACCOUNTS))
    assert refusal.value.field == "cursor"


def test_a_page_beyond_the_end_is_the_last_one() -> None:
    assert Place.of("", 120, 50) == Place(1, 3, 0, 50)
    assert Place.of("3", 120, 50) == Place(3, 3, 100, 20)
    assert Place.of("9" * 30, 120, 50) == Place(3, 3, 100, 20)
    assert Place.of("7", 0, 50) == Place(1, 1, 0, 0)
    for page in ("0", "-1", "x", "1.5", "²"):
        with pytest.raises(FieldRefused):
            Place.of(page, 120, 50)
