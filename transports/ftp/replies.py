"""What an FTP server's replies mean (RFC 959, 2389, 2428, 3659). Pure; the replies are hostile.

None stands for whatever is no answer: servers answer with words, other codes and numbers beyond
every range.
"""

import posixpath
import re
from collections.abc import Mapping
from types import MappingProxyType

MISSING = {"450", "550"}
"""Reply codes for what is not there; RFC 959 has both for a file that is unavailable."""
UNKNOWN_COMMAND = {"500", "502", "504"}

_SIZE = re.compile(r"213 +(\d{1,18})\s*", re.ASCII)
_EXTENDED = re.compile(r"229[ -].*?\(([!-/:-~])\1\1(\d{1,5})\1\)", re.ASCII | re.DOTALL)
_PASSIVE = re.compile(r"227[ -].*?" + ",".join([r"\b(\d{1,3})\b"] * 6), re.ASCII | re.DOTALL)
_FOLDER = re.compile(r'257[ -]\s*(?:"((?:[^"]|"")+)"|(/\S*))')
_MAIL_GREETING = re.compile(r"[2-5][0-9]{2}[ -].*\bE?SMTP\b", re.DOTALL)
_MAIL_ANSWER = re.compile(r"[245][0-9]{2}[ -][245]\.[0-9]{1,3}\.[0-9]{1,3}\b", re.ASCII)
"""With the status of RFC 2034, which no FTP server has."""
_NEWS_GREETINGS = {"200", "201"}
_NOT_LOGGED_IN = "530"
_MAX_PORT = 65_535
_MAX_OCTET = 255
_CODE = re.compile(r"[1-5][0-9]{2}", re.ASCII)
_CODE_BEFORE = re.compile(r"\d{3}[ -]", re.ASCII)
_LINE_BREAKS = re.compile(r"[\r\n\0]")
_POLICY_CODES = {"522", "533", "534", "536"}
_ENCRYPTION = re.compile(
    r"\b(ssl|tls|ftps|ftpes)\b|encrypt|clear-?\s?text|insecure|\bplain[ -]?(text|ftp)\b"
    r"|\bsecure (connection|session|channel|login|transport)|\bAUTH (first|command|before|required)"
    r"|\b(use|perform|issue|send) AUTH\b",
    re.IGNORECASE,
)

_OF_TOO_MANY = {"421", "425", "426", "430", "450", "530"}
_MANY = r"(connection|session|client|user|login|logon|host|instance)s?\b"
_TOO_MANY = re.compile(
    rf"\btoo many\b.*\b{_MANY}|\b(no )?more than \d+ .*\b{_MANY}|\bmaximum\b.*\b{_MANY}"
    rf"|\b{_MANY}.*\b(limit|maximum|exceeded)\b|\blimit\b.*\b{_MANY}|\(the maximum\)",
    re.IGNORECASE | re.DOTALL,
)
"""vsftpd, ProFTPD, pure-ftpd, IIS, FileZilla, Serv-U and Apache FtpServer say it so."""
_IDLE = re.compile(r"\btime[ -]?(out|limit)|\btimed out\b|\bidle\b|\binactiv", re.IGNORECASE)
_WRONG_LOGIN = re.compile(
    r"fail|attempt|incorrect|invalid|\bwrong|\btr(y|ies)\b(?! again| later)|\bbad\b", re.IGNORECASE
)


def code_of(reply: str) -> str:
    """The reply code (RFC 959 section 4.2); empty where there is none."""
    return reply[:3] if _CODE.match(reply) else ""


def is_done(reply: str) -> bool:
    """Whether what was asked was done."""
    return code_of(reply).startswith("2")


def is_begun(reply: str) -> bool:
    """Whether the server waits for the command that belongs to it."""
    return code_of(reply).startswith("3")


def is_refusal(reply: str) -> bool:
    """Whether it was refused, for now or for good."""
    return code_of(reply).startswith(("4", "5"))


def told_size(reply: str) -> int | None:
    """The size in the reply to SIZE (RFC 3659 section 4.1), and in no other."""
    match = _SIZE.fullmatch(reply)
    return int(match[1]) if match else None


def told_port(verb: str, reply: str) -> int | None:
    """The port that the reply to EPSV (RFC 2428) or PASV names; PASV's address is not looked at."""
    port = _extended_port(reply) if verb == "EPSV" else _passive_port(reply)
    return port if 0 < port <= _MAX_PORT else None


def _extended_port(reply: str) -> int:
    match = _EXTENDED.match(reply)
    return int(match[2]) if match else 0


def _passive_port(reply: str) -> int:
    match = _PASSIVE.match(reply)
    octets = [int(octet) for octet in match.groups()] if match else [0, 0]
    return octets[-2] * 256 + octets[-1] if max(octets) <= _MAX_OCTET else 0


def told_folder(reply: str) -> str | None:
    """The folder in the reply to PWD; some name it without its quotes."""
    match = _FOLDER.match(reply)
    if match is None:
        return None
    folder = match[1].replace('""', '"') if match[1] else match[2]
    return folder if is_sendable(folder) else None


def told_features(reply: str) -> Mapping[str, str]:
    """Each feature and what is said behind it (RFC 2389 section 3.2); a refusal names none."""
    if not is_done(reply):
        return MappingProxyType({})
    lines = (_CODE_BEFORE.sub("", line, count=1) for line in reply.splitlines()[1:-1])
    words = (line.split(maxsplit=1) for line in lines if line.strip())
    return MappingProxyType({name.upper(): "".join(rest) for name, *rest in words})


def told_digest(reply: str, digits: int, name: str = "") -> str | None:
    """The digest of so many hexadecimal digits in the reply, however it is spelt.

    What stands in the file's `name` is none, where the server repeats that, and neither is a folder
    or the range of bytes (draft-bryan-ftpext-hash): its end may have as many digits.
    """
    if not is_done(reply):
        return None
    said = reply
    for repeated in filter(None, (name, posixpath.basename(name))):
        said = said.replace(repeated, " ")
    pattern = rf"(?<![0-9A-Fa-f/-])[0-9A-Fa-f]{{{digits}}}(?![0-9A-Fa-f/-])"
    match = re.search(pattern, said)
    return match[0].lower() if match else None


def asks_for_encryption(reply: str) -> bool:
    """Whether a refusal asks for FTP over TLS (RFC 4217), by its code or in the server's words."""
    return code_of(reply) in _POLICY_CODES or (
        is_refusal(reply) and _ENCRYPTION.search(reply) is not None
    )


def says_too_many(reply: str) -> bool:
    """Whether it refuses one connection or login more than it takes at once.

    ProFTPD does so by 530, the code of a wrong password; one of those tried too often is no such.
    """
    return (
        code_of(reply) in _OF_TOO_MANY
        and _TOO_MANY.search(reply) is not None
        and not (says_wrong_login(reply) or _IDLE.search(reply))
    )


def says_wrong_login(reply: str) -> bool:
    """Whether a refusal of the logon speaks of what was wrong with it, or was too often."""
    return _WRONG_LOGIN.search(reply) is not None


def is_other_service_by(greeting: str, answer: str) -> bool:
    """Whether what greeted with a reply, and answered a login so, is no FTP server.

    Mail servers greet with the same code (RFC 5321 section 4.2), news servers with 200 or 201 (RFC
    3977 section 5.1). An FTP server that speaks of mail refuses a login as FTP servers do.
    """
    is_news = code_of(greeting) in _NEWS_GREETINGS
    is_mail = _MAIL_GREETING.match(greeting) is not None and code_of(answer) != _NOT_LOGGED_IN
    return is_news or is_mail or _MAIL_ANSWER.match(answer) is not None


def is_sendable(path: str) -> bool:
    """Whether it can be part of a command."""
    return not _LINE_BREAKS.search(path)
