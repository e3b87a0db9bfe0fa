"""What the linter is told to pass over has its reason beside it."""

import re

from tests.roots import CHECKOUT

PACKAGES = ("worker", "consumers", "transports", "alerts", "config", "deploy", "tests")
PASSED_OVER = re.compile(r"#\s*noqa\b(?!: [A-Z0-9, ]+ - \S)")


def test_each_noqa_names_its_rule_and_says_why() -> None:
    bare = [
        f"{path.relative_to(CHECKOUT)}:{number}"
        for package in PACKAGES
        for path in (CHECKOUT / package).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PASSED_OVER.search(line)
    ]
    assert bare == []
