"""Recordings behind https. Redirects are followed to https only, by the rules of egress."""

from http import HTTPStatus
from urllib.parse import urljoin

from transports.base import closed_on_failure
from transports.errors import SourceAway, SourceMissing, SourceUnreadable
from transports.sources.http import PASSING, Answer, Headers, Place, ask, place_of, readable
from transports.sources.remote import RemoteSource
from transports.sources.stores import Reach

MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_MISSING = {404, 410}
_REFUSED = {401, 403, 407}
_OF_A_RANGE = {HTTPStatus.PARTIAL_CONTENT, 412, 416}


def https_source(url: str, reach: Reach) -> RemoteSource:
    """A recording at an https URL; its host is sent the login that the operator has set for it."""
    return RemoteSource(_Asking(url, reach).ask, "If-Range", reach)


class _Asking:
    """Asks for one URL, as often as is needed."""

    def __init__(self, url: str, reach: Reach) -> None:
        self._url = url
        self._reach = reach
        self._stores = reach.stores

    def ask(self, headers: Headers) -> Answer:
        """See `transports.sources.remote.Ask`."""
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            place = place_of(url, "https")
            answer = self._get(place, headers)
            with closed_on_failure(answer):
                if answer.status not in _REDIRECTS:
                    self._judge(answer, place)
                    return answer
            answer.close()
            with readable():
                url = urljoin(url, answer.header("location"))
        raise SourceUnreadable(f"More than {MAX_REDIRECTS} redirects")

    def _get(self, place: Place, headers: Headers) -> Answer:
        login = self._stores.logins.get(place.authority)
        mine = [] if login is None else [("Authorization", login.get_secret_value())]
        return ask(place, [*headers, *mine], self._reach)

    def _judge(self, answer: Answer, place: Place) -> None:
        """Raises SourceFailure where it is no recording."""
        has_login = place.authority in self._stores.logins
        if answer.status in _MISSING:
            raise SourceMissing(answer.words)
        if answer.status in PASSING:
            raise SourceAway(answer.words)
        if answer.status in _REFUSED and has_login:
            raise self._stores.refused(place.authority, answer.words)
        if answer.status != HTTPStatus.OK and answer.status not in _OF_A_RANGE:
            raise SourceUnreadable(answer.words)
        if has_login:
            self._stores.note_read(place.authority)
