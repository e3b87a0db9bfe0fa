"""A program in a root file system of its own, made of this machine's programs: as a pod has it.

Needs root. All of it ends with the program, nothing of this machine is changed.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
_PYTHON = Path(sys.executable).resolve().relative_to(sys.base_prefix)
_PACKAGES = Path("/checkout") / Path(sysconfig.get_path("purelib")).relative_to(CHECKOUT)
PROGRAM = (f"/python/{_PYTHON}", "-W", "error", "-m", "worker")
"""`courier` by this interpreter, where the root has it, with this environment:"""
PYTHON = {
    "PYTHONHOME": "/python",
    "LD_LIBRARY_PATH": "/python/lib",
    "PYTHONPATH": f"/checkout:{_PACKAGES}",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
MAKE_ROOT = """
set -eu
root=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for each in usr bin sbin lib lib32 lib64; do
    if [ -L "/$each" ]; then
        cp -a "/$each" "$root/"
    elif [ -d "/$each" ]; then
        mkdir "$root/$each"
        mount --bind -o ro "/$each" "$root/$each"
    fi
done
for each in checkout python etc proc dev tmp run; do mkdir "$root/$each"; done
mount --bind -o ro "$1" "$root/checkout"
mount --bind -o ro "$2" "$root/python"
system=$root/python/lib/python3/dist-packages
[ ! -d "$system" ] || mount -t tmpfs tmpfs "$system"
shift 2
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
"""
"""bash: a root at $1 with the checkout $2 and the Python $3; its /etc and /dev are empty.

Of Debian's own Python only itself is there: the packages of its system are no image's.
"""
_POD = (
    MAKE_ROOT
    + """
mount --bind -o ro /etc "$root/etc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
    mkdir -p "$root/$2"
    mount --bind -o ro "$1" "$root/$2"
    shift 2
done
shift
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid "$1" --regid "$1" --clear-groups --no-new-privs \\
    --bounding-set -all --inh-caps -all "${@:2}"
"""
)


@contextmanager
def in_pod(
    arguments: Sequence[str],
    *,
    user: int,
    env: Mapping[str, str],
    mounts: Mapping[Path, str],
    root: Path,
    log: Path,
) -> Iterator[subprocess.Popen[bytes]]:
    """`courier` with these arguments as process 1: no right, no root to write to but /tmp.

    `mounts` has the folders of this machine that it sees, read-only, and where. All it prints is in
    the log.
    """
    root.mkdir()
    folders = [part for folder, place in mounts.items() for part in (str(folder), place)]
    command = [*_NAMESPACES, "bash", "-c", _POD, "pod", str(root), str(CHECKOUT), sys.base_prefix]
    given = {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": "/tmp", **PYTHON, **env}  # noqa: S108 - its own
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, *folders, "--", str(user), *PROGRAM, *arguments],
            env=given,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()  # and the kernel ends what runs in its namespace


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """What it has started."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(child) for child in listed.split()]


def first_child(process: subprocess.Popen[bytes]) -> int:
    """The program itself, which is process 1 in there."""
    [child] = children(process)
    return child
