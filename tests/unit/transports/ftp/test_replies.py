"""What FTP servers say is hostile: every parser takes every text."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.ftp.replies import (
    asks_for_encryption,
    code_of,
    says_too_many,
    told_digest,
    told_features,
    told_folder,
    told_port,
    told_size,
)

DIGITS = st.text("0123456789-,|() \n", max_size=40)
HUGE = st.integers(0, 10**40).map(str)
REPLY = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "213 ", "227 ", "229 ", "257 ", "211-", "250 ", "550 "]),
    st.one_of(st.text(max_size=200), DIGITS, HUGE, HUGE.map(lambda port: f"(|||{port}|)")),
    st.sampled_from(["", "\n211 End", ' "', ")"]),
)
PARSERS: dict[str, Callable[[str], object]] = {
    "code": code_of,
    "size": told_size,
    "EPSV": lambda reply: told_port("EPSV", reply),
    "PASV": lambda reply: told_port("PASV", reply),
    "folder": told_folder,
    "features": told_features,
    "digest": lambda reply: told_digest(reply, 8, "a/courier-0-00000001.part"),
    "encryption": asks_for_encryption,
}


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@given(reply=REPLY)
def test_no_parser_raises_whatever_is_said(parser: Callable[[str], object], reply: str) -> None:
    parser(reply)


@pytest.mark.parametrize("verb", ["EPSV", "PASV"])
@given(reply=REPLY)
def test_a_port_is_one_that_can_be_connected_to(verb: str, reply: str) -> None:
    port = told_port(verb, reply)
    assert port is None or 0 < port < 65_536


@pytest.mark.parametrize(
    ("verb", "reply", "port"),
    [
        ("EPSV", "229 Entering extended passive mode (|||40000|).", 40000),
        ("EPSV", "229 fine (!!!7!)", 7),
        ("EPSV", "229 (|||99999999|)", None),
        ("EPSV", "229 (|||65536|)", None),
        ("EPSV", "229 (|||0|)", None),
        ("EPSV", "229 (|||-5|)", None),
        ("EPSV", "229 (|||" + "9" * 5000 + "|)", None),
        ("EPSV", "229 (|1|10.0.0.1|40000|)", None),
        ("EPSV", "229 40000", None),
        ("EPSV", "200 (|||40000|)", None),
        ("EPSV", "", None),
        ("PASV", "227 Entering Passive Mode (127,0,0,1,156,64).", 40000),
        ("PASV", "227 Entering Passive Mode 127,0,0,1,156,64", 40000),
        ("PASV", "227 (127,0,0,1,256,64)", None),
        ("PASV", "227 (999,0,0,1,156,64)", None),
        ("PASV", "227 (127,0,0,1,0,0)", None),
        ("PASV", "227 (127,0,0,1,-1,64)", None),
        ("PASV", "227 (127,0,0,1," + "9" * 5000 + ",64)", None),
        ("PASV", "227 (127,0,0,1,156)", None),
    ],
)
def test_ports(verb: str, reply: str, port: int | None) -> None:
    assert told_port(verb, reply) == port


@pytest.mark.parametrize(
    ("reply", "size"),
    [
        ("213 480044", 480044),
        ("213 0", 0),
        ("213  17 ", 17),
        ("213 480044 bytes", None),
        ("213 -1", None),
        ("213 " + "9" * 5000, None),
        ("213 \u0663", None),
        ("213 is empty", None),
        ("213", None),
        ("250 480044", None),
        ("213-480044\n213 480044", None),
    ],
)
def test_sizes(reply: str, size: int | None) -> None:
    assert told_size(reply) == size


@pytest.mark.parametrize(
    ("reply", "folder"),
    [
        ('257 "/home/x" is the current directory', "/home/x"),
        ('257 "/a ""b"" c"', '/a "b" c'),
        ("257 /home/x is the current directory", "/home/x"),
        ('257 ""', None),
        ("257 you are somewhere", None),
        ("502 No PWD", None),
        ('257 "/a\0b"', None),
    ],
)
def test_folders(reply: str, folder: str | None) -> None:
    assert told_folder(reply) == folder


def test_features_are_found_however_the_lines_are_led_in() -> None:
    plain = "211-Features:\n MLST size*;\n UTF8\n211 End"
    led_in = "211-Features:\n211-MLST size*;\n211-UTF8\n211 End"
    assert told_features(plain) == told_features(led_in) == {"MLST": "size*;", "UTF8": ""}
    assert told_features("211 none") == told_features("450 not now") == {}


@pytest.mark.parametrize(
    "reply",
    [
        "530 Non-anonymous sessions must use encryption.",
        "550 SSL/TLS required on the control channel",
        "421-Sorry, cleartext sessions are not accepted.\n421 Please use TLS.",
        "503 Use AUTH first.",
        "530 This server does not allow plain FTP. You have to use FTP over TLS.",
        "534 Policy requires it.",
        "522 Data connections must be encrypted.",
        "530 A secure connection is required",
    ],
)
def test_servers_that_ask_for_encryption_are_known_by_code_or_words(reply: str) -> None:
    assert asks_for_encryption(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "530 Login authentication failed",
        "421 Too many users",
        "530 Login incorrect.",
        "230 TLS is nice",
        "550 Permission denied.",
    ],
)
def test_other_refusals_do_not(reply: str) -> None:
    assert not asks_for_encryption(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "421 There are too many connections from your internet address.",
        "421 There are too many connected users, please try later.",
        "530 Sorry, the maximum number of clients (2) from your host are already connected.",
        "530 Sorry, the maximum number of allowed clients (1) are already connected.",
        "530 Sorry, the maximum number of hosts (1) for this user already connected.",
        "421 Too many connections (2) from this IP",
        "421 5 users (the maximum) are already logged in, sorry",
        "421 I can't accept more than 5 connections as the same user",
        "421 Maximum number of clients reached",
        "421 Too many users are connected, please try again later.",
        "530 Sorry, no more than 10 users allowed",
        "421 Maximum login limit has been reached.",
        "421-Sorry.\n421 Connection limit reached",
        "425 Too many connections",
    ],
)
def test_servers_say_in_many_ways_that_there_are_too_many_connections(reply: str) -> None:
    assert says_too_many(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "530 Login incorrect.",
        "530 Too many failed login attempts, please try again later",
        "530 Too many login attempts.",
        "530 Login or password incorrect! Too many sessions",
        "530 This user is limited to 3 tries per session",
        "421 Too many bad login attempts for user",
        "421 Login timeout (300 seconds): closing control connection",
        "421 Session time limit exceeded",
        "421 Too many idle sessions: good bye",
        "421 Please reconnect using TLS security mechanisms.",
        "550 Too many users",
        "426 Connection closed; transfer aborted.",
    ],
)
def test_a_wrong_login_and_the_end_of_an_idle_session_are_no_such(reply: str) -> None:
    assert not says_too_many(reply)


@pytest.mark.parametrize(
    ("reply", "digest"),
    [
        ("250 1CF96D7C", "1cf96d7c"),
        ("250 XCRC 0x1CF96D7C", "1cf96d7c"),
        ("213 CRC32 0-49 1cf96d7c courier-5e-0000000a.part", "1cf96d7c"),
        ("250 /calls/courier-5e-0000000a.part 1CF96D7C", "1cf96d7c"),
        ("213 CRC32 0-12345678 1cf96d7c courier-5e-0000000a.part", "1cf96d7c"),
        ("213 CRC32 0-12345678 /calls/courier-5e-0000000a.part", None),
        ("250 /home/20261129/calls/courier-5e-0000000a.part 1CF96D7C", "1cf96d7c"),
        ("250 /home/of-20261129/courier-5e-0000000a.part 1CF96D7C", "1cf96d7c"),
        ("250 courier-5e-0000000a.part", None),
        ("250 1CF96D7C0", None),
        ("550 1CF96D7C", None),
        ("", None),
    ],
)
def test_a_digest_is_no_part_of_the_files_name(reply: str, digest: str | None) -> None:
    assert told_digest(reply, 8, "/calls/courier-5e-0000000a.part") == digest


def test_a_digest_is_no_part_of_the_folders_name() -> None:
    path = "/calls/of 20261129 here/courier-5e-0000000a.part"
    assert told_digest(f"250 {path} 1CF96D7C", 8, path) == "1cf96d7c"
