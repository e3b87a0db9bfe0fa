"""The guides, as files and as the console shows them: their facts are the program's."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts import suspension
from config.accounts import DeliveryMethod, Protocol
from config.fields import settings_fields
from config.settings import Settings
from tests.unit.alerts import facts
from tests.unit.test_supply import ROOT
from transports.diagnosis import by_code
from transports.settings_report import steps_of
from worker.console.guides import read_guide
from worker.show import CUSTOMERS_WORDS

HELP = (ROOT / "docs" / "help.md").read_text(encoding="utf-8")
ON_ONE_LINE = " ".join(HELP.split())
TEMPLATES = ROOT / "worker" / "console" / "templates"
AT = datetime(2026, 11, 23, 14, 7, 31, tzinfo=UTC)


def test_the_help_names_every_field_of_the_form_and_every_choice() -> None:
    for field in settings_fields():
        mark = "*" if field.by_provider else "**"
        assert f"{mark}{field.title}{mark}" in ON_ONE_LINE, field.title
    for name in ("protocol", "logon_type", "alert_frequency"):
        [field] = [each for each in settings_fields() if each.name == name]
        for option in field.options:
            assert f"*{option.label}*" in ON_ONE_LINE, option.label
    for method in DeliveryMethod:
        assert f"**{method.label}**" in HELP


def test_the_help_names_every_step_of_the_test_on_save() -> None:
    for step in {*steps_of(Protocol.SFTP), *steps_of(Protocol.FTPS), "names"}:
        assert f"**{step.capitalize()}**" in ON_ONE_LINE, step


def test_the_help_names_every_status_in_the_words_of_customers() -> None:
    for words in CUSTOMERS_WORDS.values():
        assert f"*{words}*" in ON_ONE_LINE, words


def test_the_numbers_of_the_help_are_those_that_the_platform_is_shipped_with() -> None:
    shipped = Settings()
    assert (shipped.max_tries, shipped.suspend_after, shipped.suspend_seconds) == (5, 10, 900)
    assert list(shipped.retry_delays) == [0, 5, 20, 60]
    assert (shipped.retention_days, shipped.platform_name) == (90, "Advanced Services Platform")


def test_the_alert_of_the_help_is_the_one_that_is_sent() -> None:
    [shown] = re.findall(r"^```text\n(.*?)^```$", HELP, re.MULTILINE | re.DOTALL)
    cause = by_code("login-refused")
    assert cause is not None
    mail = suspension.compose(
        facts.suspension(
            number=1,
            advice=cause.next_step,
            recipients=("it@customer.example",),
            oldest=AT - timedelta(seconds=151),
            at=AT,
            until=AT + timedelta(minutes=15),
            said_by="server",
            cause=cause.cause,
            code=cause.code,
            whose=cause.whose.label,
        ),
        sender="courier@localhost",
        platform=Settings().platform_name,
    )
    assert shown == f"Subject: {mail['Subject']}\n\n{mail.get_content()}"


@pytest.mark.parametrize("name", ["help", "api"])
def test_a_guide_leads_to_its_own_chapters_the_other_guide_and_nowhere_else(name: str) -> None:
    guide = read_guide(name)
    assert "<img" not in guide.body
    assert "](" not in guide.body
    for link in re.findall(r'href="([^"]*)"', guide.body):
        path, _, anchor = link.partition("#")
        assert path in {"", "/help", "/help/api"}, link
        there = {"": guide, "/help": read_guide("help"), "/help/api": read_guide("api")}[path]
        assert not anchor or anchor in there.anchors, link


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda each: each.name)
def test_what_the_pages_link_to_in_the_help_is_there(template: Path) -> None:
    for anchor in re.findall(r'href="/help#([^"]+)"', template.read_text()):
        assert anchor in read_guide("help").anchors


def test_the_package_has_the_pages_of_the_documentation_and_no_copies() -> None:
    for name in ("help.md", "api.md"):
        linked = ROOT / "worker" / "console" / "guides" / name
        assert linked.is_symlink()
        assert linked.resolve() == ROOT / "docs" / name
