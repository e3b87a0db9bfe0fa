"""The JSON shapes, and how new settings are put together with the stored ones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from config.capabilities import Capabilities
from config.destination import merged
from config.ftp_settings import FtpSettings
from config.protocols import LogonType, Protocol
from consumers.ledger import Totals
from consumers.sharding.presence import Worker
from worker import show

KEY, OTHER_KEY = f"SHA256:{'a' * 43}", f"SHA256:{'b' * 43}"
ARRIVED = datetime(2026, 11, 23, 14, 5, 0, 250_000, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    return {
        "_id": "r1",
        "account_id": "acme",
        "status": "queued",
        "tries": 2,
        "remote_path": "in/call.wav",
        "size": 0,
        "last_error": {"kind": "account", "words": "530 no", "advice": "Check."},
        "created_at": ARRIVED,
        "delivered_at": None,
        "dead_at": None,
        "reason": None,
        "number": None,
        "file_name": "call.wav",
        "file_url": "https://user:hunter2@host/call.wav?token=hunter2",
        "recorded_at": None,
        "sha256": None,
        "verified": None,
        **changes,
    }


def test_a_delivery_names_its_place_only_once_the_file_stands_there() -> None:
    assert show.delivery_shape(row())["remote_path"] is None
    delivered = show.delivery_shape(row(status="delivered", delivered_at=ARRIVED))
    assert delivered["remote_path"] == "in/call.wav"
    assert delivered["delivered_at"] == "2026-11-23T14:05:00.250Z"


def test_a_delivery_tells_which_later_one_replaced_it() -> None:
    replaced = {"path": "in/call.wav", "by": "r2", "at": ARRIVED}
    shape = show.delivery_shape(row(status="delivered", delivered_at=ARRIVED, replaced=replaced))
    assert (shape["replaced_by"], shape["replaced_at"]) == ("r2", "2026-11-23T14:05:00.250Z")
    assert show.delivery_shape(row())["replaced_by"] is None


def test_the_fields_of_a_delivery_are_those_of_its_shape() -> None:
    assert tuple(show.delivery_shape(row())) == show.DELIVERY_FIELDS


def test_a_delivery_shows_the_words_of_its_error_and_no_credentials() -> None:
    shape = show.delivery_shape(row())
    assert (shape["tries"], shape["size"], shape["last_error"]) == (2, 0, "530 no")
    assert shape["created_at"] == "2026-11-23T14:05:00.250Z"
    assert shape["file_url"] == "https://***@host/call.wav?***"
    assert show.delivery_shape(row(last_error=None))["last_error"] is None


def test_the_status_has_the_keys_of_the_contract() -> None:
    worker = Worker("w", "host", 7, "ready", 1024)
    shape = show.status_shape(Totals({"active": 1}, 2, 3, 4.00049), [worker])
    assert shape == {
        "accounts": {"active": 1},
        "queued": 2,
        "dead_letters": 3,
        "oldest_queued_seconds": 4.0,
        "workers": 1,
        "worker_processes": [
            {"worker": "w", "host": "host", "pid": 7, "state": "ready", "buckets": 1024}
        ],
    }


def stored(**changes: Any) -> FtpSettings:
    values = {
        "protocol": Protocol.SFTP,
        "logon_type": LogonType.INTERACTIVE,
        "host": "sftp.example",
        "username": "u",
        "host_key": KEY,
        "email_alerts": ("a@x.example",),
        "capabilities": Capabilities(size=False),
        **changes,
    }
    return FtpSettings.model_validate(values)


def test_options_left_out_keep_their_stored_value() -> None:
    settings = merged(stored(), {"path": "in"})
    assert settings == stored(path="in", capabilities=Capabilities())


def test_a_host_key_belongs_to_its_host_and_port() -> None:
    assert merged(stored(), {"host": "SFTP.example"}).host_key == KEY
    assert merged(stored(), {"host": "other.example"}).host_key is None
    assert merged(stored(), {"port": 2222}).host_key is None
    assert merged(stored(), {"port": 2222, "host_keys": (OTHER_KEY,)}).host_key == OTHER_KEY
    assert merged(stored(), {"host_keys": (OTHER_KEY,)}).host_key == OTHER_KEY


def test_a_default_port_follows_the_protocol_and_a_chosen_one_stays() -> None:
    assert merged(stored(), {"protocol": Protocol.FTP}).port == 21
    assert merged(stored(port=2222), {"protocol": Protocol.FTP}).port == 2222
    assert merged(stored(), {"protocol": Protocol.FTP, "port": 2121}).port == 2121


def test_ftp_has_neither_logon_type_nor_host_key() -> None:
    settings = merged(stored(), {"protocol": Protocol.FTP, "host_keys": (OTHER_KEY,)})
    assert (settings.logon_type, settings.host_key) == (LogonType.NORMAL, None)


PIN, OTHER_PIN = ":".join(["AB"] * 32), ":".join(["CD"] * 32)


def over_tls(**changes: Any) -> FtpSettings:
    values = {"protocol": Protocol.FTPS, "host": "ftp.example", "username": "u", **changes}
    return FtpSettings.model_validate(values)


def test_a_pinned_certificate_stays_until_others_are_given_or_none() -> None:
    pinned = over_tls(host_keys=(PIN,))
    assert merged(pinned, {"path": "in"}).host_keys == (PIN,)
    assert merged(pinned, {"host_keys": (OTHER_PIN,)}).host_keys == (OTHER_PIN,)
    assert merged(pinned, {"host_keys": ()}).host_keys == ()
    assert merged(pinned, {"host_keys": ()}).known_hosts == ()


def test_a_pin_belongs_to_its_protocol_too() -> None:
    pinned = over_tls(host_keys=(PIN,), port=2022)
    as_sftp = merged(pinned, {"protocol": Protocol.SFTP})
    assert as_sftp.host_keys == ()
    assert merged(as_sftp, {"protocol": Protocol.FTPS}).host_keys == (PIN,)


def test_what_was_pinned_before_there_was_ftps_is_sftps() -> None:
    """As the version before has stored it, without protocols of former servers."""
    former = {"host": "old.example", "port": 22, "host_keys": [KEY]}
    document = {
        "protocol": "sftp",
        "host": "sftp.example",
        "username": "u",
        "known_hosts": [former],
        "capabilities": {"at_once": 8},
    }
    before = FtpSettings.model_validate(document)
    assert (before.ca_certificates, before.capabilities.tls) == (None, None)
    assert merged(before, {"host": "old.example"}).host_keys == (KEY,)


def test_certificates_of_authorities_belong_to_ftps() -> None:
    pem = "-----BEGIN CERTIFICATE-----"
    with_authority = over_tls().model_copy(update={"ca_certificates": pem})
    assert merged(with_authority, {"protocol": Protocol.SFTP}).ca_certificates is None
    assert merged(with_authority, {"ca_certificates": None}).ca_certificates is None


def test_fingerprints_are_stored_as_the_protocol_shows_them() -> None:
    digest = "SHA256:q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"
    for spelled in (PIN, PIN.lower(), PIN.replace(":", ""), digest):
        assert over_tls(host_keys=(spelled,)).host_keys == (PIN,)
        assert stored(host_key=spelled).host_keys == (digest,)


def test_addresses_are_cleared_by_an_empty_list() -> None:
    assert merged(stored(), {"email_alerts": ()}).email_alerts == ()


def test_without_stored_settings_the_first_ones_must_be_whole() -> None:
    with pytest.raises(ValidationError):
        merged(None, {"host": "sftp.example"})
    first = {"protocol": Protocol.SFTP, "host": "sftp.example", "username": "u"}
    assert merged(None, first).port == 22
