"""Recordings of this machine as streams."""

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transports.base import Egress, Limits
from transports.errors import SourceChanged, SourceFailure, SourceMissing, SourceUnreadable
from transports.sources.source import Source, open_source

LIMITS = Limits(resolve=2, connect=2, reply=1, stall=1)
CONTENT = os.urandom(600_000)


def opened(url: str, *dirs: Path) -> AbstractContextManager[Source]:
    return open_source(url, dirs=dirs, max_bytes=0, egress=Egress(), limits=LIMITS)


def read(url: str, *dirs: Path) -> bytes:
    with opened(url, *dirs) as source:
        return b"".join(source)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of recordings, with one that is called `a.wav`."""
    path = tmp_path / "recordings"
    path.mkdir()
    (path / "a.wav").write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("host", ["", "localhost", "LOCALHOST"])
def test_a_file_is_read_whole(folder: Path, host: str) -> None:
    url = f"file://{host}{folder}/a.wav"
    with opened(url, folder) as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


@pytest.mark.parametrize("name", ["a b.wav", "100%.wav", "ü#?.wav", "..wav", "%2e.wav"])
def test_names_are_percent_decoded(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    assert read(f"file://{folder}/{quote(name)}", folder) == b"x"


def test_an_empty_file_is_a_recording(folder: Path) -> None:
    (folder / "empty").touch()
    assert read(f"file://{folder}/empty") == b""


@pytest.mark.parametrize(
    "url",
    [
        "file://elsewhere/a.wav",
        "file:///a%00b",
        "file://",
        "file:relative",
        "ftp://host/a",
        "http://host/a",
        "s3://bucket/key",
        "gs://bucket/key",
        "az://bucket/key",
        "",
    ],
)
def test_what_is_no_url_of_a_recording_is_refused(url: str) -> None:
    with pytest.raises(SourceUnreadable):
        read(url)


@pytest.mark.parametrize("path", ["missing.wav", "a.wav/below", "missing/a.wav"])
def test_a_missing_file_is_told_in_the_systems_words(folder: Path, path: str) -> None:
    with pytest.raises(SourceMissing) as missing:
        read(f"file://{folder}/{path}")
    assert missing.value.words in {"No such file or directory", "Not a directory"}


def test_files_outside_of_the_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "recordings-other").mkdir()
    (tmp_path / "recordings-other" / "b").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "below").symlink_to(tmp_path)
    for path in ("link", "below/secret", "../secret", "%2e%2e/secret", "../recordings-other/b"):
        with pytest.raises(SourceUnreadable):
            read(f"file://{folder}/{path}", folder)


def test_links_within_the_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    (folder / "link").symlink_to("a.wav")
    assert read(f"file://{tmp_path}/alias/link", tmp_path / "alias") == CONTENT


def test_a_circle_of_links_is_refused(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    with pytest.raises(SourceUnreadable):
        read(f"file://{folder}/one")


def test_only_regular_files_are_opened_and_nothing_hangs(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        for path in (folder / "pipe", folder / "socket", folder, Path("/dev/zero")):
            with pytest.raises(SourceUnreadable):
                read(path.as_uri())


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    other.rename(path)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _rewrite(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])


@pytest.mark.parametrize(
    "change", [_replace, _grow, _rewrite, lambda path: os.truncate(path, 300_000)]
)
def test_a_file_that_changes_while_it_is_read_is_noticed(
    folder: Path, change: Callable[[Path], None]
) -> None:
    url = f"file://{folder}/a.wav"
    with opened(url) as source:
        blocks = iter(source)
        next(blocks)
        time.sleep(0.01)
        change(folder / "a.wav")
        with pytest.raises(SourceChanged):
            list(blocks)


def test_a_file_removed_while_it_is_read_was_read_whole(folder: Path) -> None:
    url = f"file://{folder}/a.wav"
    with opened(url) as source:
        blocks = iter(source)
        first = next(blocks)
        (folder / "a.wav").unlink()
        assert first + b"".join(blocks) == CONTENT


def test_of_a_file_that_grows_no_more_is_read_than_was_there(folder: Path) -> None:
    with opened(f"file://{folder}/a.wav") as source, (folder / "a.wav").open("ab") as growing:
        blocks = iter(source)
        read = 0
        while read < len(CONTENT):
            read += len(next(blocks))
            growing.write(bytes(1_000_000))
            growing.flush()
        assert read == len(CONTENT)
        with pytest.raises(SourceChanged):
            next(blocks)


MADE_UP = [
    "/proc/self/environ",
    "/proc/self/pagemap",
    "/proc/self/mem",
    "/proc/self/../version",
    "/proc/thread-self/environ",
    "/proc/1/maps",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/class/net/lo/address",
]


@pytest.mark.parametrize("path", MADE_UP)
@pytest.mark.parametrize("dirs", [(), (Path("/"),), (Path("/proc"), Path("/sys"))])
def test_what_the_kernel_makes_up_is_no_recording_whatever_the_folders(
    path: str, dirs: tuple[Path, ...]
) -> None:
    with pytest.raises(SourceFailure) as refused:
        read(f"file://{path}", *dirs)
    assert isinstance(refused.value, SourceUnreadable) or not Path(path).exists()


def test_no_file_of_any_file_system_of_the_kernel_is_a_recording() -> None:
    """Those of this machine, each by the first files that are found there."""
    tried = 0
    for kind, place in _mounts():
        if kind not in OF_THE_KERNEL or not place.is_dir():
            continue
        for path in _some_files(place):
            with pytest.raises(SourceFailure):
                read(path.as_uri())
            tried += 1
    assert tried


OF_THE_KERNEL = {
    *("proc", "sysfs", "cgroup", "cgroup2", "devpts", "debugfs", "tracefs", "securityfs", "bpf"),
    *("mqueue", "configfs", "binfmt_misc", "pstore", "efivarfs", "fusectl", "selinuxfs", "nsfs"),
}


def _mounts() -> Iterator[tuple[str, Path]]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        here, there = line.split(" - ")
        yield there.split()[0], Path(here.split()[4])


def _some_files(place: Path) -> Iterator[Path]:
    for folder, _, names in itertools.islice(os.walk(place), 20):
        yield from (Path(folder, name) for name in names[:5])


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/dev/tty", "/", "/proc"])
def test_devices_and_folders_are_no_recordings(path: str) -> None:
    with pytest.raises(SourceFailure):
        read(f"file://{path}")


def test_a_descriptor_of_the_process_is_no_way_in() -> None:
    ends = os.pipe()
    hidden = os.memfd_create("hidden")
    for descriptor in (*ends, hidden):
        with pytest.raises(SourceFailure):
            read(f"file:///proc/self/fd/{descriptor}")
        os.close(descriptor)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside that of the recordings, with a file of the same name."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "b.wav").write_bytes(b"outside")
    return place


def test_a_folder_that_becomes_a_link_after_it_was_checked_leads_nowhere(
    folder: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = folder / "below"
    below.mkdir()
    (below / "b.wav").write_bytes(b"inside")
    resolve = Path.resolve

    def then_swap(path: Path, *, strict: bool = False) -> Path:
        resolved = resolve(path, strict=strict)
        if resolved == below / "b.wav":
            below.rename(folder / "aside")
            below.symlink_to(outside)
        return resolved

    monkeypatch.setattr(Path, "resolve", then_swap)
    with pytest.raises(SourceFailure):
        read(f"file://{below}/b.wav", folder)


def test_nothing_escapes_while_a_folder_and_a_link_take_turns(folder: Path, outside: Path) -> None:
    below, aside = folder / "below", folder / "aside"
    below.mkdir()
    (below / "b.wav").write_bytes(b"inside")
    done = threading.Event()

    def take_turns() -> None:
        while not done.is_set():
            below.rename(aside)
            below.symlink_to(outside)
            below.unlink()
            aside.rename(below)

    seen = set()
    turns = threading.Thread(target=take_turns)
    turns.start()
    try:
        for _ in range(2000):
            with contextlib.suppress(SourceFailure):
                seen.add(read(f"file://{below}/b.wav", folder))
    finally:
        done.set()
        turns.join()
    assert seen <= {b"inside"}


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_what_is_refused_leaves_no_descriptor_open(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    before = _descriptors()
    for path in ("/proc/self/environ", "/dev/null", f"{folder}/pipe", f"{folder}/none", folder):
        with pytest.raises(SourceFailure):
            read(f"file://{path}")
    assert _descriptors() == before


@given(st.text(st.characters(exclude_categories=())).map("file://{}".format) | st.text())
@example("file:///%00")
@example("file:///" + "a" * 5000)
@example("file:///" + "a/" * 5000)
@example("file:///%ff/%fe")
@example("file:///..%2f..%2fetc")
@example("file:///\ud800")
def test_any_url_is_a_recording_or_told_in_words(url: str) -> None:
    with contextlib.suppress(SourceFailure):
        read(url, Path("/nothing/is/here"))
