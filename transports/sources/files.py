"""Opens a recording's file on this machine, and nothing else that has a path.

The path is resolved once, and where it leads is compared with the folders that recordings may come
from. Then every folder on the way is opened from the one above it, and none as a link: a folder
that is swapped for a link after the comparison leads nowhere. What was opened is looked at itself.
"""

import contextlib
import ctypes
import io
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from transports.errors import SourceUnreadable

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC

_PSEUDO = {
    0x00009FA0: "proc",
    0x62656572: "sysfs",
    0x64626720: "debugfs",
    0x74726163: "tracefs",
    0x73636673: "securityfs",
    0x62656570: "configfs",
    0x0027E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x07655821: "resctrl",
    0x00001CD1: "devpts",
    0xCAFE4A11: "bpf",
    0x19800202: "mqueue",
    0x6E736673: "nsfs",
    0x50494446: "pidfs",
    0x50495045: "pipefs",
    0x534F434B: "sockfs",
    0x09041934: "anon_inodefs",
    0x0BAD1DEA: "futexfs",
    0x42494E4D: "binfmt_misc",
    0x6C6F6F70: "binder",
    0x65735543: "fusectl",
    0x6165676C: "pstore",
    0xDE5E81E4: "efivarfs",
    0xF97CFF8C: "selinuxfs",
    0x43415D53: "smackfs",
    0x5A3C69F0: "apparmorfs",
    0xABBA1974: "xenfs",
    0x67596969: "rpc_pipefs",
    0x6E667364: "nfsd",
    0x00009FA1: "openpromfs",
    0x00009FA2: "usbdevfs",
    0x62646576: "bdev",
    0x444D4142: "dmabuf",
    0x454D444D: "devmem",
    0x5345434D: "secretmem",
    0x474D454D: "guest_memfd",
}
"""File systems of the kernel by their number (linux/magic.h): what is read there is made up."""

_STATFS_BYTES = 256
"""More than `struct statfs` has anywhere; its first word is the number."""
_libc = ctypes.CDLL(None, use_errno=True)


def resolve_within(path: Path, dirs: tuple[Path, ...]) -> Path:
    """Where the path leads after all links: to one of the folders, or anywhere if there are none.

    Raises SourceUnreadable, OSError.
    """
    found = resolved(path, strict=True)
    if dirs and not is_within(found, dirs):
        raise SourceUnreadable("It lies outside of the folders that recordings may come from")
    return found


def is_within(path: Path, dirs: Sequence[Path]) -> bool:
    """Whether a path without links leads to one of the folders. Raises SourceUnreadable."""
    return any(path.is_relative_to(resolved(folder)) for folder in dirs)


def resolved(path: Path, *, strict: bool = False) -> Path:
    """The path without links; `strict`: of what is there. Raises SourceUnreadable, OSError."""
    try:
        return path.resolve(strict=strict)
    except RuntimeError as error:  # pathlib, for a circle of links
        raise SourceUnreadable("Too many levels of symbolic links") from error


def open_regular(path: Path) -> io.FileIO:
    """The regular file at a path that has no links. Raises SourceUnreadable, OSError."""
    name = path.name or "."
    with _folder(path.parent) as folder:
        os.close(_opened(name, _LOOK, folder))  # opening alone moves some devices: look first
        return io.FileIO(_opened(name, _READ, folder))


def _opened(name: str, flags: int, folder: int) -> int:
    """A descriptor of the file, which was looked at once it was open."""
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        _check(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder, reached from the root without following a link."""
    folder = os.open("/", _FOLDER)
    try:
        for name in path.parts[1:]:
            below = os.open(name, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _check(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise SourceUnreadable("It is not a regular file")
    pseudo = _PSEUDO.get(_file_system(descriptor))
    if pseudo:
        raise SourceUnreadable(f"It is not a stored file: the kernel makes it up ({pseudo})")


def _file_system(descriptor: int) -> int:
    """The number of the kind of file system that it lies on (statfs(2))."""
    told = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(descriptor, told) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return ctypes.c_ulong.from_buffer(told).value & 0xFFFFFFFF
