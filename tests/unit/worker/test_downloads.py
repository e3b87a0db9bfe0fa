"""Downloads are limited by what runs, and tell how far they are."""

import asyncio
import time
from collections.abc import Generator
from itertools import repeat

import pytest
from starlette.types import Message

from config.permissions import Principal
from worker.console import downloads
from worker.console.downloads import (
    AT_ONCE,
    AT_ONCE_EACH,
    AT_ONCE_OF_ACCOUNT,
    Csv,
    Download,
    Downloads,
    counted,
)
from worker.console.limits import TooManyRequests

TOKEN = Principal("token:1", "acme")


def begun(known: Downloads, principal: Principal, name: str = "") -> Generator[list[int]]:
    """A stream of three pages, the second without a row, whose first was sent."""
    stream = counted(known.begin(principal, name, None), [[1, 2], [], [3]])
    assert next(stream) == [1, 2]
    return stream


def waits_long(download: Download) -> None:
    download.asked_at = time.monotonic() - downloads.BEGIN_SECONDS - 1


@pytest.mark.parametrize("name", ["", "of-a-page"])
def test_those_of_one_login_by_one_name_are_counted_each(name: str) -> None:
    known = Downloads()
    streams = [begun(known, TOKEN, name) for _ in range(AT_ONCE_EACH)]
    with pytest.raises(TooManyRequests):
        known.begin(TOKEN, name, None)

    assert [*streams[0]] == [[], [3]]
    begun(known, TOKEN, name)


def test_all_together_are_limited_and_one_that_is_left_makes_room() -> None:
    known = Downloads()
    streams = [begun(known, Principal(f"token:{each}", f"{each}")) for each in range(AT_ONCE)]
    with pytest.raises(TooManyRequests):
        known.begin(TOKEN, "", None)

    streams.pop()
    known.begin(TOKEN, "", None)


def test_one_account_leaves_room_for_others_however_many_tokens_it_has() -> None:
    known = Downloads()
    streams = [
        begun(known, Principal(f"token:{each}", "acme"))
        for each in range(2, 2 + AT_ONCE_OF_ACCOUNT)
    ]
    with pytest.raises(TooManyRequests, match="wait until one has ended"):
        known.begin(TOKEN, "", None)
    known.begin(Principal("anna", "other"), "", None)
    known.begin(Principal("operator", None), "", None)

    streams.pop()
    known.begin(TOKEN, "", None)


def test_a_stream_that_finds_no_row_for_long_runs_and_takes_its_place() -> None:
    known = Downloads()
    streams = [begun(known, TOKEN, str(each)) for each in range(AT_ONCE_EACH)]
    for each in range(AT_ONCE_EACH):
        found = known.find(TOKEN, str(each))
        assert found is not None
        waits_long(found)
        assert found.runs
    with pytest.raises(TooManyRequests):
        known.begin(TOKEN, "another", None)
    assert len(streams) == AT_ONCE_EACH


def test_one_that_nobody_began_to_read_gives_its_place_back() -> None:
    known = Downloads()
    for _ in range(AT_ONCE_EACH):
        waits_long(known.begin(TOKEN, "page", None))

    left = known.find(TOKEN, "page")
    assert left is not None
    assert (left.runs, left.is_complete) == (False, False)
    known.begin(TOKEN, "page", None)


def test_one_tells_whether_all_was_sent() -> None:
    known = Downloads()
    [*begun(known, TOKEN, "whole")]
    begun(known, TOKEN, "cut").close()

    told = [known.find(TOKEN, name) for name in ("whole", "cut")]
    assert [(each.written, each.runs, each.is_complete) for each in told if each] == [
        (3, False, True),
        (0, False, False),
    ]


def test_a_reader_who_leaves_while_nothing_is_found_ends_the_download() -> None:
    known = Downloads()
    download = known.begin(TOKEN, "page", None)
    answer = Csv(download, repeat([]), for_customer=False)

    begun = asyncio.Event()

    async def leaves() -> Message:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def takes(_: Message) -> None:
        if download.is_begun:
            begun.set()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    asyncio.run(asyncio.wait_for(answer(scope, leaves, takes), 60))
    assert (download.runs, download.is_complete) == (False, False)
