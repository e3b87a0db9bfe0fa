"""The settings' fields: one declaration, and one sentence for each that is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from config.accounts import AlertFrequency, ExistingFile, FtpSettings, LogonType, Protocol
from config.entered import Input
from config.fields import explain, explain_problems, read_form, settings_field, settings_fields
from config.ftp_settings import FtpSettingsInput

SECRETS = {"password", "private_key", "passphrase", "client_key", "client_key_passphrase"}
LEAST = {"protocol": "ftp", "host": "ftp.customer.example", "username": "acme"}
OF_SFTP = {"logon_type", "host_keys", "weak_algorithms"}
OF_CLIENT = {"client_certificate", "client_key", "client_key_passphrase"}
OF_TLS = {"host_keys", "ca_certificates", *OF_CLIENT}
OF_KEYS = {"private_key", "passphrase", "key_certificate"}


def wrong(**changes: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        FtpSettingsInput.model_validate({**LEAST, **changes})
    return explain(caught.value)


def test_the_fields_stand_in_the_order_of_the_screen() -> None:
    assert [field.title for field in settings_fields()] == [
        "Protocol",
        "Logon Type",
        "Host",
        "Port",
        "Username",
        "Password",
        "Private Key",
        "Passphrase",
        "Client Key",
        "Client Key Passphrase",
        "Key Certificate",
        "Client Certificate",
        "Path",
        "Subfolders",
        "File Name",
        "Files on Their Way",
        "Name Encoding",
        "Email Alerts",
        "Host Keys",
        "CA Certificates",
        "Weak Algorithms",
        "Uploads at Once",
        "Existing File",
        "Replace Characters",
        "Active Mode",
        "Alert Frequency",
        "Recovery Email",
        "Bandwidth Limit",
        "Time Zone",
        "Delivery Window",
    ]


def test_every_field_but_the_secrets_and_what_a_test_finds_out_is_stored() -> None:
    entered = {field.name for field in settings_fields()}
    assert entered - SECRETS == set(FtpSettings.model_fields) - {
        "capabilities",
        "known_hosts",
    }


def test_every_field_says_what_it_is_for() -> None:
    for field in settings_fields():
        assert field.help.endswith(".")
        assert bool(field.options) == (field.kind is Input.SELECT)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("protocol", Protocol),
        ("logon_type", LogonType),
        ("existing_file", ExistingFile),
        ("alert_frequency", AlertFrequency),
    ],
)
def test_a_drop_down_has_a_label_for_every_value(name: str, values: Any) -> None:
    field = settings_field(name)
    assert field is not None
    assert [option.value for option in field.options] == [value.value for value in values]
    assert all(option.label for option in field.options)


def test_the_drop_downs_read_as_in_the_settings_text() -> None:
    labels = {field.name: [option.label for option in field.options] for field in settings_fields()}
    assert labels["protocol"] == ["FTP", "SFTP", "FTPS (explicit)", "FTPS (implicit)"]
    assert labels["logon_type"][:2] == ["Normal", "Interactive"]
    assert labels["logon_type"][2:] == ["Key", "Key and password"]


def test_the_logon_type_and_the_host_key_appear_with_sftp_only() -> None:
    by_key = OF_KEYS
    for field in settings_fields():
        not_of_sftp = {"ca_certificates", "active_mode", *OF_CLIENT, *by_key}
        assert field.applies({"protocol": "sftp"}) == (field.name not in not_of_sftp)
        of_others = OF_SFTP | OF_TLS | by_key
        assert field.applies({"protocol": Protocol.FTP}) == (field.name not in of_others)


@pytest.mark.parametrize("protocol", [Protocol.FTPS, Protocol.FTPS_IMPLICIT])
def test_what_belongs_to_certificates_appears_with_ftps_only(protocol: Protocol) -> None:
    for field in settings_fields():
        is_shown = field.name in OF_TLS or field.name not in OF_SFTP | OF_KEYS
        assert field.applies({"protocol": protocol}) == is_shown


@pytest.mark.parametrize(
    ("logon", "secrets"),
    [
        (LogonType.NORMAL, {"password"}),
        (LogonType.INTERACTIVE, {"password"}),
        (LogonType.KEY, {"private_key", "passphrase"}),
        (LogonType.KEY_AND_PASSWORD, {"password", "private_key", "passphrase"}),
    ],
)
def test_only_what_the_logon_type_needs_is_asked_for(logon: LogonType, secrets: set[str]) -> None:
    values = {"protocol": Protocol.SFTP, "logon_type": logon}
    assert {each.name for each in settings_fields() if each.sensitive and each.applies(values)} == (
        secrets
    )


def test_only_the_secrets_are_sensitive() -> None:
    assert {field.name for field in settings_fields() if field.sensitive} == SECRETS


def test_limits_and_defaults_are_those_of_the_model() -> None:
    fields = {field.name: field for field in settings_fields()}
    assert (fields["port"].minimum, fields["port"].maximum) == (1, 65535)
    assert (fields["uploads"].minimum, fields["uploads"].maximum) == (1, 8)
    assert fields["username"].max_length == 256
    assert fields["port"].default is None
    assert fields["port"].default_by_protocol == {
        "ftp": 21,
        "sftp": 22,
        "ftps": 21,
        "ftps-implicit": 990,
    }
    assert fields["path"].default == "."
    assert fields["existing_file"].default == "number"
    assert fields["alert_frequency"].default == "every"
    assert fields["recovery_email"].default is False
    required = {name for name, field in fields.items() if field.required}
    assert required == {"protocol", "host", "username"}


def test_openapi_carries_the_same_declaration() -> None:
    schema = FtpSettingsInput.model_json_schema()
    assert set(schema["required"]) == {"protocol", "host", "username"}
    assert schema["properties"]["logon_type"]["x-shown-when"] == {"protocol": "sftp"}
    assert schema["properties"]["password"]["x-sensitive"] is True
    json.dumps(schema)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("protocol", "ftpes", "Protocol must be ftp, sftp, ftps or ftps-implicit."),
        ("protocol", None, "Protocol must be ftp, sftp, ftps or ftps-implicit."),
        (
            "logon_type",
            "keys",
            "Logon Type must be normal, interactive, key or key-and-password.",
        ),
        ("private_key", "", "Private Key must have 1 to 16384 characters."),
        ("private_key", "k" * 16385, "Private Key must have 1 to 16384 characters."),
        (
            "key_certificate",
            "ssh-ed25519 AAAA",
            "Key Certificate must be the line of a certificate, such as that of id-cert.pub.",
        ),
        ("passphrase", "a\nb", "Passphrase must not hold line breaks or other control characters."),
        ("port", 0, "Port must be a whole number from 1 to 65535."),
        ("port", "ssh", "Port must be a whole number from 1 to 65535."),
        ("port", 21.5, "Port must be a whole number from 1 to 65535."),
        ("port", 10**30, "Port must be a whole number from 1 to 65535."),
        ("port", "9" * 5000, "Port must be a whole number from 1 to 65535."),
        ("uploads", 9, "Uploads at Once must be a whole number from 1 to 8."),
        ("uploads", [], "Uploads at Once must be a whole number from 1 to 8."),
        ("username", "", "Username must not be empty."),
        ("username", "u" * 257, "Username must have at most 256 characters."),
        ("username", 5, "Username must be a text."),
        ("username", "a\r\nb", "Username must not hold line breaks or other control characters."),
        ("username", "\ud800", "Username must be valid Unicode text."),
        (
            "path",
            "/in\u202e/gpj",
            "Path must not hold invisible characters that change the direction of writing.",
        ),
        ("password", "", "Password must have 1 to 1024 characters."),
        ("password", "p" * 1025, "Password must have 1 to 1024 characters."),
        ("password", "a\nb", "Password must not hold line breaks or other control characters."),
        ("password", 5, "Password must be a text."),
        ("email_alerts", "it@x.example", "Email Alerts must be a list."),
        ("email_alerts", ["it@x.example"] * 51, "Email Alerts must have at most 50 entries."),
        (
            "email_alerts",
            ["it@x.example", "nobody", "else"],
            "Email Alerts, entry 2, must be an e-mail address, such as it@customer.example.",
        ),
        (
            "host",
            "ftp://x",
            "Host must be a host name or an IP address, without protocol, port or path.",
        ),
        (
            "host_keys",
            ["x"],
            (
                "Host Keys, entry 1, must be a fingerprint like SHA256: and 43 characters, or 64 "
                "hexadecimal digits."
            ),
        ),
        (
            "ca_certificates",
            "a certificate",
            "CA Certificates must be certificates in PEM (-----BEGIN CERTIFICATE-----).",
        ),
        (
            "ca_certificates",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----",
            "CA Certificates must hold no private key: give the certificates alone.",
        ),
        (
            "ca_certificates",
            "-" * 24_577,
            "CA Certificates must have at most 24576 characters.",
        ),
        ("recovery_email", "maybe", "Recovery Email must be true or false."),
        ("recovery_email", [], "Recovery Email must be true or false."),
        ("existing_file", "ask", "Existing File must be number or overwrite."),
        ("alert_frequency", 1, "Alert Frequency must be every or outage."),
        ("passwrod", "x", "Passwrod is not a field that can be given here."),
    ],
)
def test_what_is_wrong_is_one_plain_sentence(field: str, value: Any, sentence: str) -> None:
    assert wrong(**{field: value}) == {field: sentence}


def test_every_field_that_is_wrong_has_its_sentence() -> None:
    assert wrong(host="a b", port=0, username="") == {
        "host": "Host must be a host name or an IP address, without protocol, port or path.",
        "port": "Port must be a whole number from 1 to 65535.",
        "username": "Username must not be empty.",
    }


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        FtpSettingsInput.model_validate({})
    assert explain(caught.value) == {
        "protocol": "Protocol is required.",
        "host": "Host is required.",
        "username": "Username is required.",
    }


def test_what_is_no_set_of_fields_at_all_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        FtpSettingsInput.model_validate("hunter2")
    assert explain(caught.value)[""].startswith("What was given must be ")
    assert "hunter2" not in str(explain(caught.value))


def test_problems_collected_elsewhere_are_told_the_same_way() -> None:
    problem = {"type": "missing", "loc": ("host",), "msg": "Field required"}
    assert explain_problems([problem]) == {"host": "Host is required."}
    outside = {"type": "greater_than_equal", "loc": ("limit",), "msg": "x", "ctx": {"ge": 1}}
    assert explain_problems([outside]) == {"limit": "Limit must be a whole number of at least 1."}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={field.name: ANYTHING for field in settings_fields()}))
def test_whatever_is_entered_is_taken_or_told_in_sentences(values: dict[str, Any]) -> None:
    try:
        FtpSettingsInput.model_validate(values)
    except ValidationError as error:
        for sentence in explain(error).values():
            assert sentence.endswith(".")
            assert len(sentence.splitlines()) == 1
            assert "Input" not in sentence


def test_a_form_becomes_the_settings() -> None:
    read = read_form(
        {
            "protocol": "sftp",
            "logon_type": "interactive",
            "host": " sftp.customer.example ",
            "port": "",
            "username": "acme",
            "password": " two words ",
            "path": "",
            "email_alerts": "a@x.example, b@x.example;c@x.example\r\nd@x.example",
            "uploads": "4",
            "recovery_email": "on",
            "csrf": "x",
        }
    )
    entered = FtpSettingsInput.model_validate(read)
    assert (entered.protocol, entered.logon_type) == (Protocol.SFTP, LogonType.INTERACTIVE)
    assert (entered.host, entered.port, entered.path) == ("sftp.customer.example", 22, ".")
    assert entered.password == SecretStr(" two words ")
    assert len(entered.email_alerts) == 4
    assert (entered.uploads, entered.recovery_email) == (4, True)


def test_an_empty_form_has_nothing_but_empty_lists_and_unticked_boxes() -> None:
    assert read_form({}) == {
        "email_alerts": (),
        "host_keys": (),
        "weak_algorithms": False,
        "replace_characters": False,
        "active_mode": False,
        "recovery_email": False,
    }
    assert read_form({"port": " ", "password": ""}) == read_form({})


def test_a_password_is_not_shown() -> None:
    entered = FtpSettingsInput.model_validate({**LEAST, "password": "hunter2hunter2"})
    assert "hunter2" not in repr(entered)
    assert "hunter2" not in entered.model_dump_json()
