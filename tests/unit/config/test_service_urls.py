"""The URLs of the services: where they are and who we are, and nothing that weakens the program."""

from pathlib import Path

import pytest

from config.errors import SettingsError
from config.settings import load_settings
from tests.unit.config.test_settings import NO_FILE, problems

SECRET = "s3cr3t"


def accepted(name: str, url: str) -> None:
    settings = load_settings({f"COURIER_{name}_URL": url}, NO_FILE)
    assert getattr(settings, f"{name.lower()}_url").get_secret_value() == url


def refused(name: str, url: str) -> str:
    (problem,) = problems({f"COURIER_{name}_URL": url})
    assert problem.startswith(f"COURIER_{name}_URL is not valid: "), problem
    assert SECRET not in problem
    assert problem.endswith(".")
    return problem


@pytest.mark.parametrize(
    "options",
    [
        "replicaSet=r&authSource=admin&tls=true",
        "retryWrites=true&w=majority&appName=Cluster0",
        "readPreference=primary&readConcernLevel=majority&journal=true&retryReads=true",
        "directConnection=false&loadBalanced=true&compressors=zlib&maxPoolSize=50",
        "ssl=true;w=MAJORITY",
        "socketTimeoutMS=0&serverSelectionTimeoutMS=3600000&timeoutMS=0&wtimeoutMS=1",
    ],
)
def test_a_mongodb_url_may_say_what_the_program_does_anyway(options: str) -> None:
    accepted("MONGODB", f"mongodb://u:{SECRET}@a:1,b:2/courier?{options}")


@pytest.mark.parametrize(
    "option",
    [
        "readPreference=secondary",
        "readPreference=primaryPreferred",
        "READPREFERENCE=nearest",
        "readPreferenceTags=dc:a",
        "maxStalenessSeconds=120",
        "w=0",
        "w=1",
        "w=2",
        "w=tagged",
        "journal=false",
        "fsync=false",
        "readConcernLevel=local",
        "readConcernLevel=available",
        "readConcernLevel=snapshot",
        "retryWrites=false",
        "retryReads=false",
        "directConnection=true",
        "tlsInsecure=true",
        "tlsAllowInvalidCertificates=true",
        "tlsAllowInvalidHostnames=true",
        "tz_aware=false",
        "datetime_conversion=datetime_ms",
        "unicode_decode_error_handler=ignore",
        "nobody=knows",
    ],
)
def test_a_mongodb_url_that_weakens_the_promises_is_refused_by_name(option: str) -> None:
    for url in (f"mongodb://u:{SECRET}@a/courier?tls=true&{option}", f"mongodb://a?{option}"):
        assert option.partition("=")[0] in refused("MONGODB", url)


def test_options_are_read_as_the_driver_reads_them() -> None:
    assert "journal" in refused("MONGODB", "mongodb://a/?tls=true;journal=false")
    assert "once" in refused("MONGODB", "mongodb://a/?tls=true&tls=false")
    assert "NAME=VALUE" in refused("MONGODB", "mongodb://a/?tls=perhaps")
    assert "NAME=VALUE" in refused("MONGODB", "mongodb://a/?timeoutMS=soon")
    refused("MONGODB", "mongodb://a/?tls")
    refused("MONGODB", "mongodb://a/?w%3D0")


@pytest.mark.parametrize("option", ["tlsCAFile=/ca.pem", "tlsCertificateKeyFile=/k.pem"])
def test_files_of_tls_are_settings_of_their_own(option: str) -> None:
    assert "COURIER_TLS_CA_FILE" in refused("MONGODB", f"mongodb://a/?tls=true&{option}")


@pytest.mark.parametrize(
    "url",
    [
        f"amqps://u:{SECRET}@a/v?verify=verify_none",
        f"amqp://u:{SECRET}@a/;amqps://u:{SECRET}@b/?ssl_cert_reqs=CERT_NONE",
        "amqps://a/?ssl_options={'cert_reqs':0}",
        "amqp://a/?heartbeat=0",
    ],
)
def test_an_amqp_url_has_no_options(url: str) -> None:
    assert "must have no options" in refused("AMQP", url)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("AMQP", f"amqp://{SECRET}@a/"),
        ("AMQP", f"amqp://u:{SECRET}@a/one/two"),
        ("AMQP", f"amqp://u:12/{SECRET}@a/"),
        ("AMQP", f"amqp://u:{SECRET}#@a/"),
        ("MONGODB", f"mongodb://u:12/{SECRET}@a/courier"),
        ("MONGODB", f"mongodb://u:{SECRET}?x@a/courier"),
        ("MONGODB", "mongodb://a:1,b:0/courier"),
        ("MONGODB", "mongodb://a:1,b:x/courier"),
        ("AMQP", f"amqp://u:{SECRET}@{'a' * 64}/"),
        ("AMQP", f"amqp://u:{SECRET}@a b/"),
        ("MONGODB", f"mongodb://u:{SECRET}@a,{'a' * 64}/courier"),
        ("SMTP", f"smtps://u:{SECRET}@a..b"),
        ("SMTP", f"smtps://u:12/{SECRET}@a"),
        ("SMTP", f"smtps://u:{SECRET}@a?x=y"),
    ],
)
def test_a_url_that_is_no_url_is_refused_without_its_secret(name: str, url: str) -> None:
    refused(name, url)


@pytest.mark.parametrize("host", ["mail.example", "10.0.0.1", "[fd00::1]", "localhost.example"])
def test_a_password_for_mail_needs_tls_beyond_this_machine(host: str) -> None:
    assert "smtp+starttls://" in refused("SMTP", f"smtp://u:{SECRET}@{host}:25")
    accepted("SMTP", f"smtp://{host}:25")
    accepted("SMTP", f"smtps://u:{SECRET}@{host}")
    accepted("SMTP", f"smtp+starttls://u:{SECRET}@{host}")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_on_this_machine_it_may_go_without(host: str) -> None:
    accepted("SMTP", f"smtp://u:{SECRET}@{host}:25")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a.example:15672", "must have a user and a password"),
        (f"http://u:{SECRET}@a.example:15672", "https://"),
        (f"https://u:{SECRET}@a.example?x=y", "must have no options"),
        (f"amqp://u:{SECRET}@a.example", "begins with http:// or https://"),
    ],
)
def test_the_management_api_is_asked_with_a_password_that_nobody_reads(
    url: str, words: str
) -> None:
    assert words in refused("RABBITMQ_MANAGEMENT", url)


@pytest.mark.parametrize("place", ["https://u:p@a.example/broker", "http://u:p@127.0.0.1:15672"])
def test_where_the_management_api_is_may_be_given(place: str) -> None:
    accepted("RABBITMQ_MANAGEMENT", place)


def test_each_service_has_its_own_sentence() -> None:
    given = {"COURIER_AMQP_URL": "http://a", "COURIER_MONGODB_URL": "http://a"}
    with pytest.raises(SettingsError) as caught:
        load_settings({**given, "COURIER_SMTP_URL": "http://a"}, NO_FILE)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("url", "protocol", "host", "port", "login"),
    [
        ("socks5://proxy.example:1080", "socks5", "proxy.example", 1080, ("", "")),
        ("http://127.0.0.1:8888/", "http", "127.0.0.1", 8888, ("", "")),
        ("socks5://u:p%40ss@[2001:db8::1]:1080", "socks5", "2001:db8::1", 1080, ("u", "p@ss")),
        ("http://J%C3%BCrgen:a%3Ab@p:1", "http", "p", 1, ("Jürgen", "a:b")),
    ],
)
def test_a_proxy_is_read_from_its_url(
    url: str, protocol: str, host: str, port: int, login: tuple[str, str]
) -> None:
    settings = load_settings({"COURIER_OUTGOING_PROXY": url}, NO_FILE)
    proxy = settings.proxy
    assert proxy is not None
    assert (proxy.protocol, proxy.host, proxy.port) == (protocol, host, port)
    assert (proxy.username, proxy.password.get_secret_value()) == login
    for shown in (repr(settings), repr(proxy), str(proxy)):
        assert login[1] == "" or login[1] not in shown


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://proxy.example:443", "must be a URL that begins with socks5:// or http://"),
        ("socks4://proxy.example:1080", "must be a URL that begins with socks5:// or http://"),
        (f"socks5h://u:{SECRET}@proxy.example:1080", "Courier looks names up itself"),
        ("socks5://proxy.example", "must name the proxy's port"),
        ("http://proxy.example:8080/path", "must have nothing behind the port"),
        ("http://proxy.example:8080?x=y", "must have nothing behind the port"),
        ("socks5://user@proxy.example:1080", "must have a user and a password"),
        (f"socks5://:{SECRET}@proxy.example:1080", "must have a user and a password"),
        (f"socks5://{'u' * 256}:{SECRET}@proxy.example:1080", "of 1 to 255 bytes each"),
        (f"http://a%3Ab:{SECRET}@proxy.example:8080", "must have a user without ':'"),
        ("socks5://a,b:1080", "must be a host name or an IP address"),
        ("socks5://:1080", "must be a URL that begins with"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(url: str, told: str) -> None:
    (problem,) = problems({"COURIER_OUTGOING_PROXY": url})
    assert problem.startswith("COURIER_OUTGOING_PROXY is not valid: ")
    assert told in problem
    assert SECRET not in problem


def test_a_proxys_url_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "proxy"
    file.write_text(f"socks5://u:{SECRET}@proxy.example:1080\n")
    settings = load_settings({"COURIER_OUTGOING_PROXY_FILE": str(file)}, NO_FILE)
    assert settings.proxy is not None
    assert settings.proxy.password.get_secret_value() == SECRET
