"""FTP servers that can more than the usual ones, or less."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyftpdlib.handlers import FTPHandler


def _proto_cmds(*names: str) -> dict[str, dict[str, object]]:
    commands = dict(FTPHandler.proto_cmds)
    return commands | {name: {**commands["SIZE"], "help": name} for name in names}


class Hashing(FTPHandler):  # type: ignore[misc]
    """Tells digests in the old way, by SHA-1 and MD5."""

    proto_cmds = _proto_cmds("XSHA1", "XMD5")
    features: tuple[str, ...] = ("XSHA1", "XMD5")

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._extra_feats.extend(self.features)

    def ftp_XSHA1(self, path: str) -> None:
        self.tell("sha1", path)

    def ftp_XMD5(self, path: str) -> None:
        self.tell("md5", path)

    def tell(self, algorithm: str, path: str, code: str = "250") -> None:
        """The answer, as most servers spell it."""
        digest = hashlib.new(algorithm, Path(path).read_bytes()).hexdigest()
        self.respond(f"{code} {digest.upper()}")


class ModernHashing(Hashing):
    """Tells them by the command HASH, which must be told the algorithm first."""

    proto_cmds = _proto_cmds("HASH")
    features = ("HASH SHA-1*;SHA-256;MD5",)
    algorithm = "SHA-1"

    def ftp_OPTS(self, line: str) -> None:
        verb, _, name = line.partition(" ")
        if verb.upper() != "HASH":
            super().ftp_OPTS(line)
            return
        self.algorithm = name
        self.respond(f"200 {name}")

    def ftp_HASH(self, path: str) -> None:
        algorithm = self.algorithm.replace("-", "").lower()
        content = Path(path).read_bytes()
        digest = hashlib.new(algorithm, content).hexdigest()
        self.respond(f"213 {self.algorithm} 0-{len(content)} {digest} {Path(path).name}")


class Lying(Hashing):
    """Its digests are of something else."""

    def tell(self, algorithm: str, path: str, code: str = "250") -> None:
        """The digest of the path."""
        self.respond(f"{code} {hashlib.new(algorithm, path.encode()).hexdigest()}")


class Silent(Hashing):
    """Never comes to the end of a digest."""

    def tell(self, algorithm: str, path: str, code: str = "250") -> None:
        """Nothing."""


class NeverOver(FTPHandler):  # type: ignore[misc]
    """Renames over no file, as IIS does not."""

    def ftp_RNTO(self, path: str) -> None:
        if Path(path).exists():
            self.respond("550 Cannot create a file when that file already exists.")
            return
        super().ftp_RNTO(path)


SILENCE = "silence"
HANG_UP = "hang up"
Answers = Mapping[str, str]


def odd(
    answers: Answers = MappingProxyType({}),
    replies: Answers = MappingProxyType({}),
    feats: tuple[str, ...] = (),
) -> type[FTPHandler]:
    """A handler that answers these commands so, instead of doing them.

    `answers`: by command, or `COMMAND argument`; with `SILENCE` and `HANG_UP`. `replies`: what
    stands in the place of a reply, by its code; nothing, for example. `feats`: what FEAT names
    besides.
    """

    class Odd(FTPHandler):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            self._extra_feats.extend(feats)
            if "TYPE" in answers:
                self._current_type = "i"

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            answer = answers.get(f"{cmd} {arg}", answers.get(cmd))
            if answer is None:
                super().pre_process_command(line, cmd, arg)
            elif answer == HANG_UP:
                self.close()
            elif answer != SILENCE:
                super().respond(answer)

        def respond(self, resp: str, **more: Any) -> None:
            reply = replies.get(resp[:3], resp)
            if reply:
                super().respond(reply, **more)

    return Odd


class BareNames(FTPHandler):  # type: ignore[misc]
    """Takes no path in a command, but a name in the folder that was entered."""

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Refuse whatever has a slash in it."""
        if "/" in arg and not (cmd == "CWD" and arg.startswith("/")):
            self.respond("553 No paths, please.")
            return
        super().pre_process_command(line, cmd, arg)


class Prompt(FTPHandler):  # type: ignore[misc]
    """ProFTPD's way: after RNFR nothing but RNTO."""

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Refuse everything else until the session ends."""
        if self._rnfr and cmd != "RNTO":
            self.respond(f"501 Bad sequence of commands: {cmd} after RNFR.")
            return
        super().pre_process_command(line, cmd, arg)


class PromptHashing(Prompt, Hashing):
    """The same with digests, as mod_digest brings them."""
