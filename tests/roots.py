"""A program in a root file system of its own, made of this machine's programs: as a pod has it.

Needs root. All of it ends with the program, nothing of this machine is changed.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PYTHON = Path("/checkout") / Path(sys.executable).relative_to(CHECKOUT)
"""This interpreter, where the root has it."""
_NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
MAKE_ROOT = """
set -eu
root=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for each in usr bin sbin lib lib32 lib64 opt; do
    if [ -L "/$each" ]; then
        cp -a "/$each" "$root/"
    elif [ -d "/$each" ]; then
        mkdir "$root/$each"
        mount --bind -o ro "/$each" "$root/$each"
    fi
done
for each in checkout etc proc dev tmp run; do mkdir "$root/$each"; done
mount --bind -o ro "$1" "$root/checkout"; shift
if [ ! -e "$root$1" ]; then
    mkdir -p "$root$1"
    mount --bind -o ro "$1" "$root$1"
fi
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
"""
"""bash: a root at $1 with the checkout $2 and the Python of $3; its /etc and /dev are empty."""
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
    program = [str(PYTHON), "-W", "error", "-m", "worker", *arguments]
    command = [*_NAMESPACES, "bash", "-c", _POD, "pod", str(root), str(CHECKOUT), sys.base_prefix]
    given = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "PYTHONPATH": "/checkout", **env}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, *folders, "--", str(user), *program],
            env={**given, "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"},  # noqa: S108 - its own
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


def first_child(process: subprocess.Popen[bytes]) -> int:
    """The program itself, which is process 1 in there."""
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)
