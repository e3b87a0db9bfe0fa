"""A download that is cut goes on where it was, within one version of the recording."""

import os
import threading
from contextlib import AbstractContextManager

import pytest

from tests.servers.store import Asked, Reply, Store
from transports.base import Egress, Limits
from transports.errors import SourceAway, SourceChanged, SourceMissing, SourceUnreadable
from transports.sources import remote
from transports.sources.source import OpenSource, open_source

CONTENT = os.urandom(3_000_000)


def opened(store: Store) -> AbstractContextManager[OpenSource]:
    return open_source(store.url, dirs=(), max_bytes=2**30, egress=Egress(), limits=Limits())


def read(store: Store) -> bytes:
    with opened(store) as source:
        return b"".join(source)


@pytest.fixture
def cutting(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """It hangs up after each 1,000,000 bytes, and nobody waits long for it."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.01, 0.02))
    store.does.content, store.does.hangs_up_after = CONTENT, 1_000_000
    return store


def test_a_recording_that_is_cut_again_and_again_arrives_whole_and_once(cutting: Store) -> None:
    assert read(cutting) == CONTENT
    first, *others = (asked.headers for asked in cutting.does.asked)
    assert not {"range", "if-range"} & first.keys()
    assert {each["if-range"] for each in others} == {'"1"'}
    starts = [int(each["range"].removeprefix("bytes=").removesuffix("-")) for each in others]
    assert starts == sorted(starts)
    # No more than a block of what has come is asked for again.
    assert len(CONTENT) - 4 * 1_000_000 < starts[-1]
    assert len(starts) <= 4


def test_it_can_be_read_again_from_its_beginning(cutting: Store) -> None:
    with opened(cutting) as source:
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


def test_two_versions_are_never_mixed(cutting: Store) -> None:
    with opened(cutting) as source:
        blocks = iter(source)
        next(blocks)
        cutting.does.content, cutting.does.etag = CONTENT[::-1], '"2"'
        with pytest.raises(SourceChanged):
            list(blocks)


def test_one_that_is_replaced_between_two_readings_is_told(cutting: Store) -> None:
    with opened(cutting) as source:
        list(source)
        cutting.does.etag = '"2"'
        with pytest.raises(SourceChanged):
            list(source)


def test_one_that_is_gone_after_a_cut_is_missing(cutting: Store) -> None:
    with opened(cutting) as source:
        blocks = iter(source)
        next(blocks)
        cutting.does.status = 404
        with pytest.raises(SourceMissing):
            list(blocks)


def _range(start: int, etag: str, size: int) -> Reply:
    told = {"ETag": etag, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
    return 206, told, CONTENT[start:]


def _start(asked: Asked) -> int:
    return int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))


WRONG: dict[str, tuple[type[Exception], str, int, int]] = {
    "of another version": (SourceChanged, '"2"', 0, len(CONTENT)),
    "of one that is longer": (SourceUnreadable, '"1"', 0, len(CONTENT) + 1),
    "that begins elsewhere": (SourceUnreadable, '"1"', 1, len(CONTENT)),
    "of no version": (SourceChanged, "", 0, len(CONTENT)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_range_must_be_the_one_that_is_missing(cutting: Store, name: str) -> None:
    failure, etag, aside, size = WRONG[name]
    cutting.does.replies = lambda asked: (
        _range(_start(asked) + aside, etag, size) if "range" in asked.headers else None
    )
    with pytest.raises(failure):
        read(cutting)


@pytest.mark.parametrize(
    "told",
    [
        *("", "bytes */3000000", "bytes 0-", "items 0-1/2", "bytes x-y/z"),
        *("bytes 1000000-1000000/3000000", "bytes 1000000-2999999/*"),
    ],
)
def test_a_range_that_does_not_say_that_it_is_the_rest_is_none(cutting: Store, told: str) -> None:
    cutting.does.replies = lambda asked: (
        (206, {"ETag": '"1"', "Content-Range": told}, b"x") if "range" in asked.headers else None
    )
    with pytest.raises(SourceUnreadable):
        read(cutting)


@pytest.mark.parametrize("status", [412, 416])
def test_a_range_that_is_no_longer_there_is_another_version(cutting: Store, status: int) -> None:
    cutting.does.replies = lambda asked: (status, {}, b"") if "range" in asked.headers else None
    with pytest.raises(SourceChanged):
        read(cutting)


@pytest.mark.parametrize("etag", [None, 'W/"1"', "1", '""', '"a b"'])
def test_without_a_certain_version_nothing_goes_on(cutting: Store, etag: str | None) -> None:
    cutting.does.etag = etag
    with pytest.raises(SourceAway):
        read(cutting)
    assert len(cutting.does.asked) == 1


def test_a_store_without_ranges_is_read_anew_by_the_next_try(cutting: Store) -> None:
    cutting.does.ranges = False
    with pytest.raises(SourceUnreadable, match="gives no ranges"):
        read(cutting)
    cutting.does.hangs_up_after = None
    assert read(cutting) == CONTENT


def test_a_store_that_gives_nothing_more_is_away_after_a_few_requests(cutting: Store) -> None:
    cutting.does.hangs_up_after = 0
    with pytest.raises(SourceAway):
        read(cutting)
    assert len(cutting.does.asked) == 4


def test_a_store_that_comes_back_goes_on(cutting: Store) -> None:
    failures = iter([503, 500])
    cutting.does.replies = lambda asked: (
        (status, {}, b"")
        if "range" in asked.headers and (status := next(failures, None)) is not None
        else None
    )
    assert read(cutting) == CONTENT


def test_the_wait_for_a_store_ends_once_the_upload_is_cut(
    cutting: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSES", (600.0,))
    cutting.does.hangs_up_after = 0
    with opened(cutting) as source:
        threading.Timer(0.2, source.cut).start()
        with pytest.raises(SourceAway):
            list(source)


def test_more_than_the_limit_is_not_taken_in_several_answers_either(cutting: Store) -> None:
    def reply(asked: Asked) -> Reply | None:
        if "range" not in asked.headers:
            return 200, {"ETag": '"1"', "Transfer-Encoding": "chunked"}, b"80000\r\n" + bytes(2**19)
        start, total = _start(asked), 2**40
        told = {"ETag": '"1"', "Content-Range": f"bytes {start}-{total - 1}/{total}"}
        return 206, {**told, "Content-Length": str(total - start)}, bytes(2**20)

    cutting.does.replies, cutting.does.hangs_up_after = reply, None
    given = 0
    with (  # noqa: PT012 - counted on the way
        open_source(
            cutting.url, dirs=(), max_bytes=2_000_000, egress=Egress(), limits=Limits()
        ) as source,
        pytest.raises(SourceUnreadable, match="more than the 2000000 bytes"),
    ):
        for block in source:
            given += len(block)
    assert 1_000_000 < given <= 2_000_000
