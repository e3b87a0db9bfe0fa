"""What the test on save found about a customer's server, in words for the page and the commands."""

from collections.abc import Iterator
from typing import NamedTuple

from config.capabilities import Capabilities, Look
from config.ftp_settings import ExistingFile, FtpSettings
from transports.settings_test import IN_PLACE, OVERWRITES, REFUSES_TAKEN, UNSEEN

_SLOW_SECONDS = 5


class ServerFact(NamedTuple):
    """One thing that was found."""

    title: str
    words: str
    is_risk: bool = False
    """Whether the customer should know it."""


def server_facts(settings: FtpSettings) -> list[ServerFact]:
    """The facts, the usual ones first; none where the server was never tested."""
    can = settings.capabilities
    if can == Capabilities():
        return []
    return [*_ways(settings), *_limits(can)]


def _ways(settings: FtpSettings) -> Iterator[ServerFact]:
    can = settings.capabilities
    if can.rename and can.temporary:
        yield ServerFact("Writing", "under a temporary name that ends in .part, then renamed")
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
    if not can.removes:
        words = "the server lets nothing be removed: what an upload that was cut leaves stays there"
        yield ServerFact("Leftovers", words, is_risk=True)


def _taken_names(settings: FtpSettings) -> ServerFact:
    can, title = settings.capabilities, "Taken names"
    if can.look is not Look.NOTHING:
        how = f"are asked for by {can.look.upper()}" if can.look else "are looked for at each login"
        return ServerFact(title, how)
    if settings.existing_file is ExistingFile.OVERWRITE:
        return ServerFact(title, _inside(OVERWRITES), is_risk=True)
    refuses = can.rename_refuses if can.rename and can.temporary else can.exclusive
    return ServerFact(title, _inside(REFUSES_TAKEN if refuses else UNSEEN))


def _limits(can: Capabilities) -> Iterator[ServerFact]:
    if can.at_once is not None:
        yield ServerFact("Uploads at once", f"{can.at_once} at the most")
    if can.finish_seconds is not None and can.finish_seconds >= _SLOW_SECONDS:
        words = f"the server confirmed a small file after {can.finish_seconds:.0f} seconds"
        yield ServerFact("Slow", words)
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


def _inside(sentence: str) -> str:
    """The sentence with a small first letter, to stand behind a colon."""
    return sentence[0].lower() + sentence[1:]
