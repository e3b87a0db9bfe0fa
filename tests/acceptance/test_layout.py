"""Every page in Chromium, at the widths of phones, tablets and desks, light and dark.

The pages are taken from the application's own routes, so that a new one is walked too. Nothing is
wider than the screen, no button is cut, no column is a few letters wide, and axe-core finds nothing
that keeps people from using it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Page

from config.accounts import DeliveryMethod, Protocol
from config.numbers import Number
from consumers.ledger.bulk_actions import Decision, Subject, Verb
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from deploy.local import npm
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site
from tests.integration.platform import Platform
from tests.languages.messages import stored
from worker.console.pages import router

WIDTHS = (320, 390, 512, 640, 820, 1024, 1280, 1440)
"""512 and 640: 1024 and 1280 px at a zoom of 200%."""
HEIGHT = 900
ROWS = 300
LOGIN = "somebody.with.a.long.login@customer-service.northwind.example"
TOP = "northwind-energy"
LONG_ID = "northwind-energy.recordings-of-the-customer-service-centre.leeds"
LONG_NAME = "20261128-160002_01632960000.wav"
LONG_ZONE = "America/Argentina/Buenos_Aires"
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
LEFTOVERS = (Path(__file__).parent / "leftovers.js").read_text()
HIDDEN = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""Of what is not for a customer."""
NARROW, MIDDLE = 320, 1024
UNFOLD = (Path(__file__).parent / "unfold.js").read_text()
FILTER = (Path(__file__).parent / "filter.js").read_text()
AXE = npm.PAGES.modules / "axe-core" / "axe.min.js"
AXE_RUN = """async () => {
    const told = (node) => node.html.slice(0, 160);
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map(
        (each) => `${each.id}, ${each.help}: ${each.nodes.slice(0, 3).map(told).join(" | ")}`);
}"""
NO_PAGES = ("/", "/accounts/{account_id}/ftp/tests/{run_id}", "/account-acts/{run_id}")
"""They lead to another page, are a part of one while a test runs, and are reached by a form."""
REFUSED = ("/alert-mail", "/new-password")
"""Without what a mail's link carries they show a refusal, which is a page as well."""


def pages_of(**given: str) -> list[str]:
    """The addresses of all pages. Raises KeyError for a parameter that stands for nothing here."""
    paths = [
        str(route.path)
        for route in iter_route_contexts(router.routes)
        if "GET" in (route.methods or ())
        and route.path not in NO_PAGES
        and not str(route.path).endswith(".csv")
    ]
    return sorted({path.replace(":path}", "}").format(**given) for path in paths})


@pytest.fixture
def given(site: Site, tmp_path: Path) -> dict[str, str]:
    """Long names and many rows; what the parameters of the pages' addresses stand for."""
    courier, directory = site.courier, site.courier.core.directory
    site.user("operator", None)
    directory.create(TOP, name="Northwind " * 8, ftp_access=True)
    site.user(LOGIN, TOP)
    (tmp_path / "customer").mkdir()
    with AsyncSshServer(tmp_path / "customer") as server:
        courier.account(LONG_ID, server.customer, Protocol.SFTP, path="calls")
        delivered = courier.publish(LONG_ID, courier.recording(LONG_NAME))
        courier.wait_status(delivered, "delivered")
        dead = courier.publish(LONG_ID, courier.folder / f"{'long' * 30}.wav")
        courier.wait_status(dead, "dead_lettered")
    for index in range(30):
        directory.set_number(Number(f"+4416329600{index:02}", LONG_ID, DeliveryMethod.FTP))
        directory.rename(LONG_ID, f"Customer service centre, Leeds, {index}")
    for recording_id in (delivered, dead):
        copy_row(courier, recording_id)
    copy_account(courier)
    chosen = DeadLetterFilter(account_id=TOP).stored()
    decision = Decision(Subject.DEAD_LETTERS, Verb.REPLAY, TOP, "operator", chosen, 0)
    action = courier.core.ledger.bulk_actions.begin("an-action", decision)
    return {"account_id": LONG_ID, "recording_id": dead, "action_id": action.action_id}


def copy_row(courier: Platform, recording_id: str) -> None:
    row = courier.row(recording_id)
    place = {"remote_path", "wanted", "copy"} & row.keys()
    kept = {name: value for name, value in row.items() if name not in place}
    rows = []
    for index in range(ROWS):
        named = {"remote_path": f"calls/{index:03}-{LONG_NAME}"} if "remote_path" in row else {}
        rows.append({**kept, **named, "_id": f"{recording_id}-{index}"})
    courier.core.database["deliveries"].insert_many(rows)


def copy_account(courier: Platform) -> None:
    accounts = courier.core.database["accounts"]
    document: dict[str, Any] = accounts.find_one({"_id": LONG_ID}) or {}
    copies = [
        {**document, "_id": f"{LONG_ID[:58]}.{index:03}", "parent": TOP} for index in range(ROWS)
    ]
    accounts.insert_many(copies)


def walked(site: Site, paths: list[str], page: Page, *, is_operator: bool = True) -> Iterator[str]:
    """Each page, as the operator sees it; or a customer, who may not see all."""
    for path in paths:
        answer = page.goto(f"{site.url}{path}")
        assert answer is not None
        is_fine = answer.ok or path in REFUSED or (not is_operator and answer.status in HIDDEN)
        assert is_fine, f"{path}: {answer.status}"
        if answer.text().lower().startswith("<!doctype html>"):  # else it is a part of a page
            yield path


def test_every_page_holds_at_every_width_and_can_be_used_by_everybody(
    site: Site, given: dict[str, str]
) -> None:
    faults, axe, paths = [], AXE.read_text(), pages_of(**given)
    for dark in (False, True):
        with site.signed_in("operator", (WIDTHS[-1], HEIGHT), dark=dark, zone=LONG_ZONE) as page:
            for path in walked(site, paths, page):
                page.evaluate(axe)
                faults += [f"{path}, dark {dark}: {fault}" for fault in page.evaluate(AXE_RUN)]
                for width in () if dark else WIDTHS:
                    page.set_viewport_size({"width": width, "height": HEIGHT})
                    faults += [f"{path} at {width} px: {fault}" for fault in page.evaluate(LAYOUT)]
    assert not faults, "\n".join(faults)


def test_what_is_unfolded_ticked_and_filtered_holds_at_every_width(
    site: Site, given: dict[str, str]
) -> None:
    faults: list[str] = []

    def look(page: Page, state: str) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            found = page.evaluate(LAYOUT)
            faults.extend(f"{state} at {width} px: {fault}" for fault in found)

    filtered = []
    with site.signed_in("operator", (WIDTHS[-1], HEIGHT), zone=LONG_ZONE) as page:
        for path in walked(site, pages_of(**given), page):
            filtered.append(page.evaluate(FILTER))
            if page.evaluate(UNFOLD):
                look(page, f"{path}, unfolded and ticked")
        for path in filter(None, filtered):
            page.goto(f"{site.url}{path}")
            page.evaluate(UNFOLD)
            look(page, path)
    assert len([*filter(None, filtered)]) > 2
    assert not faults, "\n".join(faults)


def test_every_page_is_german_for_who_reads_german_and_holds_with_its_words(
    site: Site, given: dict[str, str]
) -> None:
    faults, paths = [], pages_of(**given)
    english = [str(each.id) for each in stored("de") if each.id and each.id != each.string]
    for login in ("operator", LOGIN):
        with site.signed_in(login, (MIDDLE, HEIGHT), language="de-DE") as page:
            for path in walked(site, paths, page, is_operator=login == "operator"):
                assert page.locator("html").get_attribute("lang") == "de", path
                page.evaluate(UNFOLD)
                left = page.evaluate(LEFTOVERS, english)
                faults += [f"{path}, {login}: {each}" for each in left]
                for width in (MIDDLE, NARROW):
                    page.set_viewport_size({"width": width, "height": HEIGHT})
                    faults += [f"{path} at {width} px: {fault}" for fault in page.evaluate(LAYOUT)]
    assert not faults, "\n".join(sorted(set(faults)))
