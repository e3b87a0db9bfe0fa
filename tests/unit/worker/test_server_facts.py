"""What was found of a server is told in words, and what is a risk as one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from config.accounts import FtpSettings, Protocol
from config.capabilities import Algorithms, Capabilities, HashAlgorithm, Look
from config.ftp_settings import ExistingFile
from config.naming_settings import InFlight
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
    "resumes": False,
    "mkdir": False,
    "at_once": 4,
    "open_files": 1,
    "avoids": ("EPSV",),
    "enters": True,
    "algorithms": Algorithms(kex="a-kex", cipher="a-cipher", mac="a-mac", host_key="a-key"),
    "tls": "TLS 1.3, a-cipher",
    "forbids": "+;",
    "unicode": False,
}
"""Of each field another value than that of most servers."""
NOT_TOLD = {"replace", "request_size", "pipelines", "queues", "early"}
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


@pytest.mark.parametrize("can", [{"forbids": "+;"}, {"unicode": False}])
def test_signs_that_are_refused_are_a_risk_until_they_are_replaced(can: dict[str, Any]) -> None:
    (risk,) = [fact for fact in facts(**can) if fact.is_risk]
    assert "Replace Characters" in risk.words
    found = {"capabilities": TESTED.model_copy(update=can), "replace_characters": True}
    replacing = server_facts(SETTINGS.model_copy(update=found))
    assert not [fact for fact in replacing if fact.is_risk]


@pytest.mark.parametrize("in_flight", InFlight)
def test_the_way_of_writing_is_told_by_the_convention(in_flight: InFlight) -> None:
    chosen = {"capabilities": TESTED, "in_flight": in_flight}
    (writing,) = [
        fact for fact in server_facts(SETTINGS.model_copy(update=chosen)) if fact.title == "Writing"
    ]
    assert writing.is_risk == (in_flight is InFlight.NONE)


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


def test_large_files_begin_anew_until_somebody_saves_where_it_was_not_tried() -> None:
    def told(**can: Any) -> str:
        (fact,) = [fact for fact in facts(**can) if fact.title == "Large files"]
        return fact.words

    assert "until the settings are saved once more" in told()
    assert "saved" not in told(rename=False), "nor is it tried then"
    assert "saved" not in told(resumes=False)
    assert "gone on with" in told(resumes=True)


def ending(day: datetime) -> str:
    """A certificate in PEM that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(day - timedelta(days=365))
        .not_valid_after(day)
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("field", ["client_certificate", "ca_certificates"])
@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "valid until 2026-12-31"),
        (datetime(2026, 12, 2, tzinfo=UTC), "ends on 2026-12-31, in 29 days"),
        (datetime(2026, 12, 31, 0, 5, tzinfo=UTC), "ends on 2026-12-31, by tomorrow"),
        (datetime(2027, 1, 1, tzinfo=UTC), "ended on 2026-12-31"),
    ],
)
def test_the_end_of_a_certificate_is_told_thirty_days_before(
    field: str, now: datetime, words: str
) -> None:
    end = datetime(2026, 12, 31, 12, tzinfo=UTC)
    stored = {"protocol": Protocol.FTPS, field: ending(end)}
    (fact,) = server_facts(SETTINGS.model_copy(update=stored), now)
    assert fact.words.startswith(words)
    assert fact.is_risk is not words.startswith("valid")


def test_of_several_authorities_the_last_end_counts_and_of_a_pinned_server_none() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    both = {"protocol": Protocol.FTPS, "ca_certificates": ending(early) + ending(late)}
    (fact,) = server_facts(SETTINGS.model_copy(update=both), early)
    assert fact.words == "valid until 2036-01-01"
    pinned = {**both, "host_keys": ("SHA256:" + "A" * 43,)}
    assert server_facts(SETTINGS.model_copy(update=pinned), late) == []
