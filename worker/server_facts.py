"""What the test on save found about a customer's server, in words for the page and the commands."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from config.capabilities import Capabilities, Look
from config.certificates import last_end, own_end
from config.file_names import TEMPORARY
from config.ftp_settings import ExistingFile, FtpSettings
from config.naming_settings import InFlight, NameEncoding
from transports.names import STAGING
from transports.settings_words import IN_PLACE, OVERWRITES, REFUSES_TAKEN, UNSEEN

_SLOW_SECONDS = 5
ENDS_SOON = timedelta(days=30)
"""For so long before its end a certificate is a risk."""

_BY_CONVENTION = {
    InFlight.SUFFIX: f"under a temporary name that ends in {TEMPORARY}, then renamed",
    InFlight.DOT: "under a temporary name that begins with a dot, then renamed",
    InFlight.FOLDER: f"in the folder {STAGING} beneath Path, then moved to its place",
}


class ServerFact(NamedTuple):
    """One thing that was found."""

    title: str
    words: str
    is_risk: bool = False
    """Whether the customer should know it."""


def server_facts(settings: FtpSettings, now: datetime | None = None) -> list[ServerFact]:
    """The facts, the usual ones first; of a server that was never tested those alone that need no
    test. `now`: left out, the moment of the call."""
    can = settings.capabilities
    ends = _ends(settings, now or datetime.now(UTC))
    if can == Capabilities():
        return [*ends]
    return [*_ways(settings), *_limits(can), *ends]


def _ends(settings: FtpSettings, now: datetime) -> Iterator[ServerFact]:
    """Of the certificates that are stored: who lets the server in, or is let in, until when."""
    if settings.client_certificate is not None:
        yield from _end("Client Certificate", own_end(settings.client_certificate), now)
    # Where the server's own is pinned, nothing else is looked at.
    if settings.ca_certificates is not None and not settings.host_keys:
        yield from _end("CA Certificates", last_end(settings.ca_certificates), now)


def _end(title: str, moment: datetime | None, now: datetime) -> Iterator[ServerFact]:
    if moment is None:
        return
    day, left = f"{moment.astimezone(UTC):%Y-%m-%d}", moment - now
    if left <= timedelta():
        yield ServerFact(title, f"ended on {day}: save the next one now", is_risk=True)
    elif left <= ENDS_SOON:
        when = f"in {left.days} days" if left.days > 1 else "by tomorrow"
        yield ServerFact(title, f"ends on {day}, {when}: save the next one in time", is_risk=True)
    else:
        yield ServerFact(title, f"valid until {day}")


def _ways(settings: FtpSettings) -> Iterator[ServerFact]:
    can = settings.capabilities
    if settings.in_flight is InFlight.NONE:
        yield ServerFact("Writing", f"as chosen, {IN_PLACE}", is_risk=True)
    elif can.rename and can.temporary:
        yield ServerFact("Writing", _BY_CONVENTION[settings.in_flight])
    else:
        why = "no temporary names" if can.rename or not can.temporary else "no renames"
        yield ServerFact("Writing", f"the server takes {why}: {IN_PLACE}", is_risk=True)
    yield _taken_names(settings)
    if can.hash is not None:
        yield ServerFact("Checked", f"by the server's {can.hash.upper()} of each file")
    elif can.size:
        yield ServerFact("Checked", "by the size that the server tells of each file")
    else:
        words = "the server tells no sizes: its word that a file has arrived has to do"
        yield ServerFact("Checked", words, is_risk=True)
    yield from _signs(settings)
    if not can.removes:
        words = "the server lets nothing be removed: what an upload that was cut leaves stays there"
        yield ServerFact("Leftovers", words, is_risk=True)


def _signs(settings: FtpSettings) -> Iterator[ServerFact]:
    """What it refuses in names; it is a risk as long as it is sent."""
    can, title = settings.capabilities, "Signs in names"
    is_sent = not settings.replace_characters
    becomes = 'with "Replace Characters" they become "_"' if is_sent else 'they become "_"'
    if can.forbids:
        words = f"the server refuses {' '.join(can.forbids)} in names: {becomes}"
        yield ServerFact(title, words, is_risk=is_sent)
    if not can.unicode:
        other = "" if settings.name_encoding is NameEncoding.LATIN_1 else "; or choose Latin-1"
        words = f"the server refuses letters such as é: {becomes}{other}"
        yield ServerFact(title, words, is_risk=is_sent)


def _taken_names(settings: FtpSettings) -> ServerFact:
    can, title = settings.capabilities, "Taken names"
    if can.look is not Look.NOTHING:
        how = f"are asked for by {can.look.upper()}" if can.look else "are looked for at each login"
        return ServerFact(title, how)
    if settings.existing_file is ExistingFile.OVERWRITE:
        return ServerFact(title, _inside(OVERWRITES), is_risk=True)
    renames = can.rename and can.temporary and settings.in_flight is not InFlight.NONE
    refuses = can.rename_refuses if renames else can.exclusive
    return ServerFact(title, _inside(REFUSES_TAKEN if refuses else UNSEEN))


def _limits(can: Capabilities) -> Iterator[ServerFact]:
    if can.at_once is not None:
        yield ServerFact("Uploads at once", f"{can.at_once} at the most")
    if can.open_files is not None:
        files = "one file" if can.open_files == 1 else f"{can.open_files} files"
        yield ServerFact("Open files", f"the server lets {files} be open at once")
    if can.finish_seconds is not None and can.finish_seconds >= _SLOW_SECONDS:
        words = f"the server confirmed a small file after {can.finish_seconds:.0f} seconds"
        yield ServerFact("Slow", words)
    yield ServerFact("Large files", _after_a_cut(can))
    if not can.mkdir:
        yield ServerFact("Folders", "the server lets none be made")
    if can.enters:
        yield ServerFact("Folders", "each is entered first: the server takes bare names only")
    if can.avoids:
        yield ServerFact("Left out", f"the server does not bear {', '.join(can.avoids)}")
    if can.algorithms is not None:
        agreed = can.algorithms
        names = (agreed.kex, agreed.cipher, agreed.mac, agreed.host_key)
        yield ServerFact("Encryption", ", ".join(names))
    if can.tls is not None:
        yield ServerFact("Encryption", can.tls)


def _after_a_cut(can: Capabilities) -> str:
    if can.resumes:
        return "are gone on with after a cut"
    may_be_found = can.rename and can.temporary and can.size and can.removes
    if can.resumes is None and may_be_found:
        return (
            "begin anew after a cut until the settings are saved once more: then it is tried "
            "whether they can be gone on with"
        )
    return "begin anew after a cut"


def _inside(sentence: str) -> str:
    """The sentence with a small first letter, to stand behind a colon."""
    return sentence[0].lower() + sentence[1:]
