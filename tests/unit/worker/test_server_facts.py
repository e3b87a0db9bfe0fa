"""What was found of a server is told in words, and what is a risk as one."""

from typing import Any

import pytest

from config.accounts import FtpSettings, Protocol
from config.capabilities import Algorithms, Capabilities, HashAlgorithm, Look
from config.ftp_settings import ExistingFile
from worker.server_facts import ServerFact, server_facts

TOLD: dict[str, Any] = {
    "size": False,
    "rename": False,
    "look": Look.NOTHING,
    "rename_refuses": True,
    "exclusive": True,
    "removes": False,
    "temporary": False,
    "finish_seconds": 75.0,
    "hash": HashAlgorithm.SHA1,
    "mkdir": False,
    "at_once": 4,
    "avoids": ("EPSV",),
    "enters": True,
    "algorithms": Algorithms(kex="a-kex", cipher="a-cipher", mac="a-mac", host_key="a-key"),
    "tls": "TLS 1.3, a-cipher",
}
"""Of each field another value than that of most servers."""
NOT_TOLD = {"replace", "request_size", "pipelines", "queues"}
"""What concerns nobody but the program."""
SETTINGS = FtpSettings(protocol=Protocol.SFTP, host="ftp.example", username="u")
TESTED = Capabilities(look=Look.LSTAT, at_once=8)


def facts(**can: Any) -> list[ServerFact]:
    capabilities = TESTED.model_copy(update=can)
    return server_facts(SETTINGS.model_copy(update={"capabilities": capabilities}))


def test_every_field_is_told_or_concerns_nobody() -> None:
    assert set(Capabilities.model_fields) == TOLD.keys() | NOT_TOLD


@pytest.mark.parametrize(
    "field", [name for name in TOLD if name not in {"rename_refuses", "exclusive"}]
)
def test_what_is_unusual_is_told(field: str) -> None:
    assert facts(**{field: TOLD[field]}) != facts()


def test_who_refuses_taken_names_is_told_where_nothing_else_tells() -> None:
    blind = {"look": Look.NOTHING}
    assert facts(**blind, rename_refuses=True) != facts(**blind)
    assert facts(**blind, rename=False, exclusive=True) != facts(**blind, rename=False)


def test_files_that_are_written_to_their_names_are_a_risk() -> None:
    for can in ({"rename": False}, {"temporary": False}):
        (risk,) = [fact for fact in facts(**can) if fact.is_risk]
        assert "whoever looks meanwhile sees half of one" in risk.words
    (risk,) = [fact for fact in facts(look=Look.NOTHING) if fact.title == "Taken names"]
    assert (risk.is_risk, "carry their id" in risk.words) == (False, True)
    blind = {"capabilities": Capabilities(look=Look.NOTHING, at_once=8)}
    chosen = SETTINGS.model_copy(update={"existing_file": ExistingFile.OVERWRITE, **blind})
    assert [fact.words for fact in server_facts(chosen) if fact.is_risk] == [
        "the server does not tell whether a name is taken: files are overwritten, as chosen"
    ]
    assert not [fact for fact in facts() if fact.is_risk]


def test_of_a_server_that_was_never_tested_nothing_is_told() -> None:
    assert server_facts(SETTINGS) == []
