"""Accounts, their settings' fields, and who may use FTP."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from config.account_documents import account_of
from config.accounts import (
    Account,
    Capabilities,
    FtpSettings,
    LogonType,
    Protocol,
    check_account_id,
    check_password,
    lineage,
    may_use_ftp,
)
from config.errors import AccountError
from config.fields import explain

LEAST = {"protocol": "ftp", "host": "ftp.customer.example", "username": "acme"}


def settings(**changes: Any) -> FtpSettings:
    return FtpSettings.model_validate({**LEAST, **changes})


def refused(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    [(field, sentence)] = explain(caught.value).items()
    assert field == next(iter(changes))
    return sentence


def test_what_is_not_given_has_its_default() -> None:
    least = settings()
    assert (least.logon_type, least.path, least.email_alerts) == (LogonType.NORMAL, ".", ())
    assert least.host_key is None


@pytest.mark.parametrize(("protocol", "port"), [("ftp", 21), ("sftp", 22), (Protocol.SFTP, 22)])
def test_the_port_is_the_protocols_unless_given(protocol: str, port: int) -> None:
    assert settings(protocol=protocol).port == port
    assert settings(protocol=protocol, port=None).port == port
    assert settings(protocol=protocol, port=2121).port == 2121


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "ftp.customer.example",
        "10.0.0.1",
        "a",
        "my_host.example",
        "xn--lufer-gra.example",
        "::1",
        "2001:db8::10",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
    ],
)
def test_a_host_is_kept_as_set(host: str) -> None:
    assert settings(host=host).host == host


def test_an_ipv6_address_may_stand_in_brackets() -> None:
    assert settings(host="[2001:db8::10]").host == "2001:db8::10"


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "ftp://customer.example",
        "customer.example/in",
        "customer.example:21",
        "10.0.0.1:21",
        "a..b",
        "..",
        ":",
        ":::",
        "1:2",
        "-a.example",
        "a-.example",
        "[::1",
        "::1]",
        "[ftp.example]",
        "user@host",
        "a b",
        "a\r\nb",
        "a\n",
        "::1%a\nb",
        "a" * 64,
        "a." * 127,
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert refused(host=host)


@pytest.mark.parametrize("port", [0, -1, 65_536, "ssh", 21.5])
def test_what_is_no_port_is_refused(port: object) -> None:
    assert refused(port=port)


@pytest.mark.parametrize("field", ["username", "path"])
@pytest.mark.parametrize(
    "character", ["\r", "\n", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\ud800"]
)
def test_fields_hold_no_line_breaks_or_control_characters(field: str, character: str) -> None:
    assert "must" in refused(**{field: f"a{character}b"})


def test_fields_hold_other_alphabets_and_spaces() -> None:
    other = settings(username="läufer 日本", path="/Eingang/Gespräche täglich")
    assert (other.username, other.path) == ("läufer 日本", "/Eingang/Gespräche täglich")


def test_fields_have_a_longest_and_a_shortest() -> None:
    longest = settings(username="u" * 256, path="p" * 1024)
    assert (len(longest.username), len(longest.path)) == (256, 1024)
    assert refused(username="u" * 257)
    assert refused(username="")
    assert refused(path="p" * 1025)


@pytest.mark.parametrize(
    "address",
    [
        "it@customer.example",
        "first.last+ftp@sub.customer.example",
        "o'neil@x.example",
        "a@localhost",
    ],
)
def test_an_email_address_is_taken(address: str) -> None:
    assert settings(email_alerts=[address]).email_alerts == (address,)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@x.example",
        "a@",
        "a@b@c.example",
        "a b@x.example",
        ".a@x.example",
        "a.@x.example",
        "a..b@x.example",
        "a@x..example",
        "a@-x.example",
        "a@x.example.",
        "a@x.example\r\nBcc: b@y.example",
        "a@x.example\n",
        "A <a@x.example>",
        "a@x.example,b@y.example",
        "ä@x.example",
        f"{'a' * 65}@x.example",
        f"a@{'x.' * 127}example",
    ],
)
def test_what_is_no_email_address_is_refused(address: str) -> None:
    assert "e-mail address" in refused(email_alerts=[address])


def test_a_host_key_is_a_sha256_fingerprint() -> None:
    key = f"SHA256:{'A' * 43}"
    assert settings(host_key=key).host_key == key
    for wrong in ("", "SHA256:abc", f"MD5:{'A' * 43}", f"{key}=", f"{key}\n"):
        assert refused(host_keys=[wrong])
        assert refused(host_keys=[key, wrong])
        with pytest.raises(ValidationError):
            settings(host_key=wrong)


def test_one_host_key_as_it_was_stored_is_the_first_of_several() -> None:
    key, other = f"SHA256:{'A' * 43}", f"SHA256:{'B' * 43}"
    assert settings(host_key=None).host_keys == ()
    assert settings(host_key=key).host_keys == (key,)
    both = settings(host_keys=[key, other])
    assert (both.host_key, both.host_keys) == (key, (key, other))
    assert settings(host_key=key, host_keys=[key, other]) == both
    assert settings(host_keys=[key, key, other, key]) == both
    with pytest.raises(ValidationError, match="give one of the two"):
        settings(host_key=key, host_keys=[other])


def test_unknown_protocols_and_logon_types_are_refused() -> None:
    assert refused(protocol="ftpes")
    assert refused(logon_type="keys")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("host", "username", "path"), st.text())))
def test_whatever_is_accepted_is_one_line(fields: dict[str, str]) -> None:
    try:
        accepted = settings(**fields)
    except ValidationError:
        return
    for text in (accepted.host, accepted.username, accepted.path):
        assert len(text.splitlines()) <= 1
        assert text.encode().isascii() or text is not accepted.host


def test_an_account_name_is_one_line() -> None:
    with pytest.raises(ValidationError, match="line breaks"):
        Account(account_id="acme", name="a\r\nb")


@pytest.mark.parametrize("account_id", ["acme", "A.b_c-1", "0", "a" * 64])
def test_an_account_id_is_taken(account_id: str) -> None:
    assert check_account_id(account_id) == account_id


@pytest.mark.parametrize("account_id", ["", ".a", "-a", "a/b", "a b", "a\n", "ä", "a" * 65, "a:1"])
def test_what_is_no_account_id_is_refused(account_id: str) -> None:
    with pytest.raises(AccountError, match=r"is not an account id.*\.$"):
        check_account_id(account_id)


@pytest.mark.parametrize("password", ["x", "p" * 1024, "läufer 日本", " space "])
def test_a_password_is_taken_as_it_is(password: str) -> None:
    assert check_password(SecretStr(password)).get_secret_value() == password


@pytest.mark.parametrize("password", ["", "p" * 1025, "a\rhunter2", "a\nhunter2", "a\0b", "\ud800"])
def test_a_password_no_server_could_take_is_refused_without_repeating_it(password: str) -> None:
    with pytest.raises(AccountError, match=r"^The password must [^\n]+\.$") as caught:
        check_password(SecretStr(password))
    assert "hunter2" not in str(caught.value)


def family(**parents: str | None) -> dict[str, Account]:
    return {
        name: Account(account_id=name, parent=parent, ftp_access=True)
        for name, parent in parents.items()
    }


def test_the_lineage_runs_from_the_account_to_the_top() -> None:
    accounts = family(a="b", b="c", c=None)
    assert [account.account_id for account in lineage(accounts["a"], accounts.get)] == list("abc")


@pytest.mark.parametrize("without", ["a", "b", "c"])
def test_ftp_needs_the_permission_of_all_above(without: str) -> None:
    accounts = family(a="b", b="c", c=None)
    assert may_use_ftp(accounts["a"], accounts.get)
    accounts[without] = accounts[without].model_copy(update={"ftp_access": False})
    assert not may_use_ftp(accounts["a"], accounts.get)


def test_a_permission_taken_below_takes_nothing_from_above() -> None:
    accounts = family(a="b", b=None)
    accounts["a"] = accounts["a"].model_copy(update={"ftp_access": False})
    assert may_use_ftp(accounts["b"], accounts.get)


def test_without_its_parent_an_account_has_no_permission() -> None:
    accounts = family(a="gone")
    assert not may_use_ftp(accounts["a"], accounts.get)
    with pytest.raises(AccountError, match=re.escape("parent account 'gone' does not exist")):
        list(lineage(accounts["a"], accounts.get))


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "b"}])
def test_accounts_in_a_circle_have_no_permission(parents: dict[str, str | None]) -> None:
    accounts = family(**parents)
    assert not may_use_ftp(accounts["a"], accounts.get)
    with pytest.raises(AccountError, match="its own ancestor"):
        list(lineage(accounts["a"], accounts.get))


NAMES = st.sampled_from("abcde")


@given(
    parents=st.dictionaries(NAMES, st.one_of(st.none(), NAMES), min_size=1),
    granted=st.sets(NAMES),
)
def test_the_permission_is_decided_for_any_family(
    parents: dict[str, str | None], granted: set[str]
) -> None:
    accounts = {
        name: Account(account_id=name, parent=parent, ftp_access=name in granted)
        for name, parent in parents.items()
    }
    for account in accounts.values():
        allowed = may_use_ftp(account, accounts.get)
        above = accounts.get(account.parent) if account.parent else None
        if account.parent is None:
            assert allowed == account.ftp_access
        elif allowed:
            assert account.ftp_access
            assert above is not None
            assert may_use_ftp(above, accounts.get)


def test_what_a_newer_version_found_of_a_server_does_not_make_the_account_unusable() -> None:
    """It runs beside this one during an upgrade, and has stored a means that has no name here."""
    found = {"look": "by a means to come", "hash": "a digest to come", "removes": False}
    stored = {"protocol": "sftp", "host": "ftp.example", "username": "u", "capabilities": found}
    account = account_of({"_id": "acme", "name": "Acme", "ftp_access": True, "settings": stored})
    assert account.settings is not None
    assert account.settings.capabilities == Capabilities(removes=False)
