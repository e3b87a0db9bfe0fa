"""The settings of the process: defaults, sources, and one sentence for each that is wrong."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.settings import Settings, load_settings

KEY = Fernet.generate_key().decode()
NO_FILE = Path("/nonexistent/.env")


def load(environ: dict[str, str], dotenv: Path = NO_FILE) -> Settings:
    return load_settings(environ, dotenv)


def problems(environ: dict[str, str], dotenv: Path = NO_FILE) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ, dotenv)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = load({})
    assert settings.replay_after_outage
    assert settings.amqp_url.get_secret_value() == "amqp://guest:guest@127.0.0.1:5672/"
    assert settings.mongodb_url.get_secret_value() == "mongodb://127.0.0.1:27017/courier"
    assert settings.smtp_url.get_secret_value() == "smtp://127.0.0.1:25"
    assert not settings.secret_keys
    assert settings.alert_from == "courier@localhost"
    assert not settings.oncall_emails
    assert settings.platform_name == "Advanced Services Platform"
    assert (settings.max_tries, settings.suspend_after) == (5, 10)
    assert settings.suspend_seconds == 900
    assert list(settings.retry_delays) == [0, 5, 20, 60]
    assert settings.upload_slots == 32
    assert not settings.source_dirs
    assert settings.max_source_bytes == 4 * 2**30
    assert not settings.egress_allow
    assert settings.metrics_bind == "127.0.0.1:9108"
    assert settings.console_bind == "127.0.0.1:8080"
    assert settings.log_format is None
    assert settings.canary_account is None


def test_servers_may_connect_to_nothing_unless_an_operator_says_where() -> None:
    assert (load({}).active_ftp_addresses, load({}).active_ftp_ports) == ((), None)
    settings = load(
        {
            "COURIER_ACTIVE_FTP_ADDRESSES": "192.0.2.7, 2001:db8::7",
            "COURIER_ACTIVE_FTP_PORTS": "50000-50999",
        }
    )
    assert settings.active_ftp_addresses == (ip_address("192.0.2.7"), ip_address("2001:db8::7"))
    assert settings.active_ftp_ports == range(50_000, 51_000)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ADDRESSES", "192.0.2.7", "it needs COURIER_ACTIVE_FTP_PORTS"),
        ("PORTS", "50000-50999", "it needs COURIER_ACTIVE_FTP_ADDRESSES"),
        ("ADDRESSES", "192.0.2.7,192.0.2.8", "must name one IPv4 address"),
        ("ADDRESSES", "::", "must name addresses at which this host is reached"),
        ("ADDRESSES", "ftp.example", "does not appear to be an IPv4 or IPv6 address"),
        ("PORTS", "50999-50000", "must be two ports from 1024 to 65535"),
        ("PORTS", "20-21", "must be two ports from 1024 to 65535"),
        ("PORTS", "50000-99999", "must be two ports from 1024 to 65535"),
        ("PORTS", "50000", "must be two ports from 1024 to 65535"),
    ],
)
def test_where_servers_may_connect_to_is_checked_at_the_start(
    name: str, value: str, words: str
) -> None:
    (told,) = problems({f"COURIER_ACTIVE_FTP_{name}": value})
    assert told.startswith(f"COURIER_ACTIVE_FTP_{name} is not valid: ")
    assert words in told


@pytest.mark.parametrize("value", [" ", "two words", "-canary", "x" * 65, "canary/7"])
def test_the_canarys_account_is_an_accounts_id(value: str) -> None:
    assert load({"COURIER_CANARY_ACCOUNT": "canary"}).canary_account == "canary"
    (told,) = problems({"COURIER_CANARY_ACCOUNT": value})
    assert told.startswith("COURIER_CANARY_ACCOUNT is not valid: must be the id of an account")


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"],
)
def test_link_local_and_metadata_addresses_are_denied_by_default(address: str) -> None:
    assert any(ip_address(address) in network for network in load({}).egress_deny)


GOOD: list[tuple[str, str, str, Any]] = [
    ("COURIER_ONCALL_EMAILS", "a@x.example, b@y.example,", "oncall_emails", 2),
    ("COURIER_RETRY_DELAYS", "0, 0.5,2", "retry_delays", (0, 0.5, 2)),
    ("COURIER_REPLAY_AFTER_OUTAGE", "false", "replay_after_outage", False),
    ("COURIER_SUSPEND_SECONDS", "0.5", "suspend_seconds", 0.5),
    ("COURIER_SOURCE_DIRS", "/a,/b c", "source_dirs", (Path("/a"), Path("/b c"))),
    ("COURIER_EGRESS_DENY", "", "egress_deny", ()),
    ("COURIER_EGRESS_ALLOW", "203.0.113.0/24, 2001:db8::/32", "egress_allow", 2),
    ("COURIER_SOURCE_ADDRESS", "203.0.113.7, 2001:db8::7", "source_address", 2),
    ("COURIER_FIREWALL_ADDRESSES", "203.0.113.0/28,2001:db8::7", "firewall_addresses", 2),
    ("COURIER_MAX_SOURCE_BYTES", "1000000", "max_source_bytes", 1_000_000),
    ("COURIER_ONCALL_EMAILS", " ", "oncall_emails", ()),
    ("COURIER_METRICS_BIND", "[::]:0", "metrics_bind", "[::]:0"),
    ("COURIER_LOG_FORMAT", "console", "log_format", "console"),
    ("COURIER_PLATFORM_NAME", "Läufer & Söhne", "platform_name", "Läufer & Söhne"),
    ("COURIER_OTLP_ENDPOINT", "http://[::1]:4318/", "otlp_endpoint", "http://[::1]:4318"),
]


@pytest.mark.parametrize(("name", "text", "field", "expected"), GOOD)
def test_a_value_is_read(name: str, text: str, field: str, expected: Any) -> None:
    found = getattr(load({name: text}), field)
    assert (len(found) if isinstance(expected, int) and isinstance(found, tuple) else found) == (
        expected
    )


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://a:1,b:2/courier?replicaSet=r",
        "mongodb+srv://user:p%40ss@cluster.example/courier",
        "mongodb://[::1]:27017/x",
    ],
)
def test_a_replica_set_is_a_url_too(url: str) -> None:
    assert load({"COURIER_MONGODB_URL": url}).mongodb_url.get_secret_value() == url


def test_the_nodes_of_a_cluster_are_several_urls() -> None:
    nodes = "amqp://u:p@a:5672/;amqp://u:p@b:5672/"
    assert load({"COURIER_AMQP_URL": nodes}).amqp_url.get_secret_value() == nodes


def test_servers_behind_a_proxy_cannot_connect_to_this_host() -> None:
    (told,) = problems(
        {
            "COURIER_OUTGOING_PROXY": "socks5://proxy.example:1080",
            "COURIER_ACTIVE_FTP_ADDRESSES": "192.0.2.7",
            "COURIER_ACTIVE_FTP_PORTS": "50000-50999",
        }
    )
    assert told.startswith("COURIER_ACTIVE_FTP_PORTS is not valid: servers that are reached")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ()),
        ({"SOURCE_ADDRESS": "203.0.113.7,2001:db8::7"}, ("203.0.113.7", "2001:db8::7")),
        ({"FIREWALL_ADDRESSES": "203.0.113.0/28,2001:db8::7"}, ("203.0.113.0/28", "2001:db8::7")),
        ({"FIREWALL_ADDRESSES": "192.0.2.1", "SOURCE_ADDRESS": "10.0.0.1"}, ("192.0.2.1",)),
        ({"SOURCE_ADDRESS": "10.0.0.1", "OUTGOING_PROXY": "http://p:1"}, ()),
    ],
)
def test_customers_are_told_the_addresses_that_their_firewalls_see(
    given: dict[str, str], expected: tuple[str, ...]
) -> None:
    named = {f"COURIER_{name}": value for name, value in given.items()}
    assert load(named).connects_from == expected


BAD = [
    ("COURIER_AMQP_URL", "http://host/"),
    ("COURIER_AMQP_URL", "amqp://host:99999/"),
    ("COURIER_AMQP_URL", "amqp:///"),
    ("COURIER_AMQP_URL", "amqp://a/;http://b/"),
    ("COURIER_AMQP_URL", "amqp://a/;"),
    ("COURIER_MONGODB_URL", "localhost:27017"),
    ("COURIER_SMTP_URL", "starttls://host"),
    ("COURIER_SMTP_URL", "smtp://host:0"),
    ("COURIER_SMTP_URL", "smtp://[::1"),
    ("COURIER_SECRET_KEYS", "hunter2"),
    ("COURIER_SECRET_KEYS", "schlüssel"),
    pytest.param("COURIER_SECRET_KEYS", f"{KEY},{KEY[:-2]}", id="COURIER_SECRET_KEYS-a short one"),
    ("COURIER_ALERT_FROM", "Courier <a@b.example>"),
    ("COURIER_ALERT_FROM", "a@b.example\r\nBcc: c@d.example"),
    ("COURIER_ONCALL_EMAILS", "a@b.example,nobody"),
    ("COURIER_PLATFORM_NAME", "  "),
    ("COURIER_PLATFORM_NAME", "a\nb"),
    ("COURIER_PLATFORM_NAME", "a\x1bb"),
    ("COURIER_PLATFORM_NAME", "x" * 101),
    ("COURIER_MAX_TRIES", "0"),
    ("COURIER_MAX_TRIES", "five"),
    ("COURIER_SUSPEND_AFTER", "-1"),
    ("COURIER_SUSPEND_SECONDS", "0"),
    ("COURIER_SUSPEND_SECONDS", "inf"),
    ("COURIER_SUSPEND_SECONDS", "nan"),
    ("COURIER_RETRY_DELAYS", ","),
    ("COURIER_RETRY_DELAYS", "0,-1"),
    ("COURIER_RETRY_DELAYS", "0;5"),
    ("COURIER_RETRY_DELAYS", "inf"),
    ("COURIER_REPLAY_AFTER_OUTAGE", "perhaps"),
    ("COURIER_UPLOAD_SLOTS", "0"),
    ("COURIER_UPLOAD_SLOTS", "1025"),
    ("COURIER_EGRESS_DENY", "10.0.0.1/8"),
    ("COURIER_SOURCE_ADDRESS", "203.0.113.7,203.0.113.8"),
    ("COURIER_SOURCE_ADDRESS", "::"),
    ("COURIER_SOURCE_ADDRESS", "203.0.113.0/24"),
    ("COURIER_SOURCE_ADDRESS", "platform.example"),
    ("COURIER_FIREWALL_ADDRESSES", "platform.example"),
    ("COURIER_EGRESS_DENY", "metadata"),
    ("COURIER_METRICS_BIND", "9108"),
    ("COURIER_METRICS_BIND", ":9108"),
    ("COURIER_METRICS_BIND", "127.0.0.1:65536"),
    ("COURIER_CONSOLE_BIND", "127.0.0.1:http"),
    ("COURIER_LOG_FORMAT", "xml"),
    ("COURIER_OTLP_ENDPOINT", "127.0.0.1:4317"),
    ("COURIER_OTLP_ENDPOINT", "grpc://127.0.0.1:4317"),
    ("COURIER_OTLP_ENDPOINT", "http://user:hunter2@127.0.0.1:4318"),
    ("COURIER_OTLP_ENDPOINT", "http://127.0.0.1:4318/v1/traces"),
    ("COURIER_OTLP_ENDPOINT", "http://127.0.0.1:4318?key=hunter2"),
    ("COURIER_OTLP_ENDPOINT", "http://127.0.0.1:4318\r\nx: y"),
    ("COURIER_OTLP_ENDPOINT", "http://127.0.0.1:99999"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_value_that_cannot_be_used_is_one_sentence(name: str, text: str) -> None:
    [problem] = problems({name: text})
    assert problem.startswith(f"{name} is not valid: ")
    assert problem.endswith(".")
    assert "\n" not in problem


@pytest.mark.parametrize(
    "name", ["AMQP_URL", "MONGODB_URL", "SMTP_URL", "SECRET_KEYS", "OTLP_ENDPOINT"]
)
def test_a_refused_secret_is_not_repeated(name: str) -> None:
    [problem] = problems({f"COURIER_{name}": "what://user:hunter2@host"})
    assert "hunter2" not in problem


def test_secrets_are_not_in_the_repr() -> None:
    settings = load(
        {"COURIER_AMQP_URL": "amqp://u:hunter2@host/", "COURIER_SECRET_KEYS": f"{KEY},{KEY}"}
    )
    assert "hunter2" not in repr(settings)
    assert KEY not in repr(settings)


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        {
            "COURIER_MAX_TRIES": "x",
            "COURIER_UPLOAD_SLOTS": "x",
            "COURIER_MAX_TRYS": "5",
            "COURIER_AMQP_URL_FILE": "/nonexistent/url",
        }
    )
    assert len(found) == 4


@pytest.mark.parametrize(
    "name", ["COURIER_MAX_TRYS", "COURIER_", "COURIER_max_tries", "COURIER_MAX_TRYS_FILE"]
)
def test_an_unknown_name_stops_the_start(name: str) -> None:
    [problem] = problems({name: "5"})
    assert problem == f"{name} is not a setting of Courier: correct its name or remove it."


def test_names_of_others_do_not_matter() -> None:
    assert load({"PATH": "/bin", "COURIERS": "2", "MAX_TRIES": "x"}) == load({})


def test_a_value_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    [key] = load({"COURIER_SECRET_KEYS_FILE": str(file)}).secret_keys
    assert key.get_secret_value() == KEY


def test_a_bad_value_from_a_file_is_told_by_the_settings_name(tmp_path: Path) -> None:
    file = tmp_path / "tries"
    file.write_text("many", encoding="utf-8")
    [problem] = problems({"COURIER_MAX_TRIES_FILE": str(file)})
    assert problem.startswith("COURIER_MAX_TRIES is not valid: ")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for path, reason in [
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (tmp_path / "latin", "it is not UTF-8 text"),
    ]:
        [problem] = problems({"COURIER_AMQP_URL_FILE": str(path)})
        assert problem == (
            f"COURIER_AMQP_URL_FILE names {str(path)!r}, which cannot be read: {reason}."
        )


def test_a_file_without_end_is_refused_and_not_read_for_ever() -> None:
    [problem] = problems({"COURIER_SECRET_KEYS_FILE": "/dev/zero"})
    assert problem == (
        "COURIER_SECRET_KEYS_FILE names '/dev/zero', which cannot be read: it is longer than "
        "65536 bytes."
    )


def test_a_value_and_its_file_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tries"
    file.write_text("5", encoding="utf-8")
    [problem] = problems({"COURIER_MAX_TRIES": "5", "COURIER_MAX_TRIES_FILE": str(file)})
    assert problem == (
        "COURIER_MAX_TRIES and COURIER_MAX_TRIES_FILE are both set: keep one of them."
    )


def test_the_dotenv_file_is_read(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text('COURIER_MAX_TRIES=7\nOTHER=1\nCOURIER_ALERT_FROM="a@b.example"\n')
    settings = load({}, dotenv)
    assert (settings.max_tries, settings.alert_from) == (7, "a@b.example")


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("COURIER_MAX_TRIES=7\nCOURIER_UPLOAD_SLOTS=7\n")
    settings = load({"COURIER_MAX_TRIES": "3"}, dotenv)
    assert (settings.max_tries, settings.upload_slots) == (3, 7)


def test_the_environment_wins_also_between_a_value_and_a_file(tmp_path: Path) -> None:
    dotenv, tries = tmp_path / ".env", tmp_path / "tries"
    tries.write_text("7")
    dotenv.write_text(f"COURIER_MAX_TRIES_FILE={tries}\nCOURIER_SUSPEND_AFTER=9\n")
    settings = load({"COURIER_MAX_TRIES": "3", "COURIER_SUSPEND_AFTER_FILE": str(tries)}, dotenv)
    assert (settings.max_tries, settings.suspend_after) == (3, 7)


def test_a_value_and_its_file_both_in_the_dotenv_file_are_refused(tmp_path: Path) -> None:
    dotenv, tries = tmp_path / ".env", tmp_path / "tries"
    tries.write_text("7")
    dotenv.write_text(f"COURIER_MAX_TRIES_FILE={tries}\nCOURIER_MAX_TRIES=9\n")
    [problem] = problems({}, dotenv)
    assert "both set" in problem


def test_an_unknown_name_in_the_dotenv_file_stops_the_start(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("COURIER_MAX_TRYS=7\n")
    [problem] = problems({}, dotenv)
    assert problem.startswith("COURIER_MAX_TRYS is not a setting")


def test_a_dotenv_file_that_is_not_text_is_one_sentence(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(b"COURIER_MAX_TRIES=\xff\n")
    assert problems({}, dotenv) == [f"{dotenv} cannot be read: it is not UTF-8 text."]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).max_tries = 3


@given(
    name=st.sampled_from(sorted(Settings.model_fields)),
    text=st.text(st.characters(exclude_characters="\0"), max_size=40),
)
def test_whatever_is_set_is_used_or_told_in_one_sentence(name: str, text: str) -> None:
    told: list[str] = []
    try:
        load({f"COURIER_{name.upper()}": text})
    except SettingsError as error:
        told = error.problems
    assert len(told) <= 1
    assert all(one.startswith(f"COURIER_{name.upper()} is not valid: ") for one in told)
    assert "\n" not in "".join(told)
