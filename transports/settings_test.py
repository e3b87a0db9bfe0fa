"""The test upload on save: shows that the settings work, and finds out what the server can do."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from config.accounts import (
    ExistingFile,
    FtpSettings,
    Look,
)
from config.file_names import TEMPORARY
from config.naming_settings import InFlight
from config.ssh_keys import KeyPair
from transports.backends import connect
from transports.base import (
    MOST_AT_ONCE,
    SAMPLE,
    Egress,
    Limits,
    Server,
    ServerFeatures,
    TargetExists,
    Unsupported,
)
from transports.errors import (
    AccountFailure,
    NameRefused,
    PathRefused,
    TransferError,
    VerificationFailed,
)
from transports.free_names import find_look, is_no_folder, still_stands
from transports.sending import size_of
from transports.settings_folders import make_folders, remove_folder
from transports.settings_report import Findings, Meaning, OnStep, TestReport, as_it_is
from transports.settings_trials import Trials
from transports.settings_words import IN_PLACE, OVERWRITES, REFUSES_TAKEN, UNSEEN

_LONGER_SAMPLE = SAMPLE * 2
TRIAL_SECONDS = 10.0
"""Stall limit of what is tried in sessions of its own, because a server may hang over it."""
_ENDINGS = (".txt", ".wav")
"""Of a final name: some servers take those of recordings alone."""
_REFUSED = (Unsupported, NameRefused, TargetExists)
REFUSED = "The server refuses it"
TAKEN_AWAY = f"Something on the server takes away what ends in {TEMPORARY}"
REFUSED_ALIKE = f" Names that end in {TEMPORARY}, .wav and .txt were refused alike."


def test_settings(
    settings: FtpSettings,
    password: SecretStr,
    limits: Limits,
    egress: Egress,
    on_step: OnStep | None = None,  # noqa: PT028 - no test of pytest's
    *,
    key: KeyPair | None = None,  # noqa: PT028 - no test of pytest's
    client_key: SecretStr | None = None,  # noqa: PT028 - no test of pytest's
    meant: Meaning = as_it_is,  # noqa: PT028 - no test of pytest's
) -> TestReport:
    """Log in, upload a small text file and remove it again; `on_step` hears of each step, and
    `meant` tells what the failure means that ended it.

    A server that tells no sizes or refuses renames passes, and is remembered as such; one that
    takes no files does not. Raises nothing: what went wrong is in the report, and every file that
    is left.
    """
    test = _Test(settings, limits, on_step)
    brief = replace(limits, stall=min(limits.stall, TRIAL_SECONDS))
    try_out = partial(connect, key=key, client_key=client_key, is_settings_test=True)

    def session(**known: Any) -> Server:
        return try_out(test.settings_with(known), password, brief, egress)

    try:
        with contextlib.closing(
            try_out(test.settings, password, limits, egress, on_step=test.heard)
        ) as server:
            test.host_key = server.host_key
            test.write(server)
            test.look_closer(server, session)
    except TransferError as error:
        return test.report(meant(error))
    test.try_more(session)
    test.tell_leftovers()
    return test.report(None)


test_settings.__test__ = False  # type: ignore[attr-defined]


class _Test(Findings):
    def __init__(self, settings: FtpSettings, limits: Limits, on_step: OnStep | None) -> None:
        super().__init__(settings, on_step)
        self._limits = limits
        self._features = ServerFeatures()
        self._final = ""
        self._folder_refused: PathRefused | None = None
        """Why the folder could not be made, until a file in it shows that it is there."""

    def write(self, server: Server) -> None:
        """The steps after the logon."""
        self._folder_refused = make_folders(server, self)
        part = self.part_path()
        try:
            if self.settings.in_flight is InFlight.NONE:
                self._write_at_once(server)
            else:
                self._write_temporary(server, part)
            self._tell_look()
        except BaseException as error:
            has_part = self.settings.in_flight is not InFlight.NONE
            for path in dict.fromkeys((part if has_part else "", self._final)):
                self._withdraw(server, path)
            self._blame_folder(error, server)
            raise
        with contextlib.suppress(TransferError):  # it was lost over the cleaning: all has arrived
            self._clean(server)

    def look_closer(self, server: Server, session: Callable[..., Server]) -> None:
        """What makes no difference to whether files arrive.

        The session's last use; where it was lost over the cleaning, that of another one.
        """
        self._features = server.features
        if server.connected:
            self._look_closer(server)
            return
        with contextlib.suppress(TransferError), contextlib.closing(session()) as another:
            another.look = server.look
            self._forget_folders(another)
            self._look_closer(another)

    def _look_closer(self, server: Server) -> None:
        self._features = features = server.features
        self.note(request_size=features.request_size, algorithms=features.algorithms)
        self.note(tls=features.tls)
        self.note(avoids=features.avoids, enters=features.enters)
        at_once = _count_at_once(server, MOST_AT_ONCE[self.settings.protocol], self._limits.login)
        self.note(at_once=at_once)

    def try_more(self, session: Callable[..., Server]) -> None:
        """What a server may hang or hang up over."""
        kept = None if self.found.removes else self._final
        trials = Trials(session, self.settings.path, self.found.look, self.left, kept)
        features = self._features
        if features.hashes:
            self.note(hash=trials.right_digest(features.hashes))
        if features.request_sizes and self.found.temporary and kept is None:
            self.note(open_files=trials.open_files())
        if features.request_sizes:
            self.note(**trials.requests(features, self.found.at_once or 1))
        can = self.found.rename and self.found.size and self.found.temporary and kept is None
        if can:
            self.note(resumes=trials.resumes(self.found.hash))
        # Packs have the other commands as well.
        if can and not set(self.found.avoids) - {"EPSV", "~"}:
            self.note(**trials.packs(features.packs, self.found.hash))
        self.note(**trials.names())

    def tell_leftovers(self) -> None:
        """The last step: recordings are delivered all the same where something is left."""
        if self.left.paths:
            self.failed("removed", self.left.told())
        else:
            self.passed_with("removed", self._final)

    def _write_temporary(self, server: Server, part: str) -> None:
        try:
            self._write_first(server, part)
        except (NameRefused, AccountFailure) as refused:
            if not (server.connected and _is_plain(refused)):
                raise
            if not self._write_without_part(server, part, refused):
                refused.advice += REFUSED_ALIKE
                raise
            self._withdraw_refused(server, part)
            return
        self._wrote(part, copied=part)
        self._look_at_size(server, part)
        self.note(look=find_look(server, part) or Look.NOTHING)
        self._move(server, part)

    def _write_at_once(self, server: Server) -> None:
        """As uploads do it that have no temporary names."""
        self._final = self.path(".wav")
        self._write_in_place(server)
        self._wrote(f"{self._final}. As chosen, {IN_PLACE}")
        self._look_at_size(server, self._final)
        self.note(look=find_look(server, self._final) or Look.NOTHING)

    def _forget_folders(self, server: Server) -> None:
        """Those that were removed, though the connection was lost over it."""
        for path in tuple(self.left.paths):
            if path != self._final and is_no_folder(server, path):
                del self.left.paths[path]

    def _wrote(self, detail: str, *, copied: str = "") -> None:
        refused, self._folder_refused = self._folder_refused, None
        if refused is not None:
            words = f"The server does not make it ({refused.words}), and takes files there"
            self.passed("path", f"{self.settings.path}. {words}")
        self.passed("wrote", detail, copied=copied)

    def _blame_folder(self, error: BaseException, server: Server) -> None:
        """Where the folder was refused and then each file, it is the folder."""
        if self._folder_refused is not None and _is_plain(error) and server.connected:
            raise self._folder_refused from error

    def _clean(self, server: Server) -> None:
        self.note(removes=False)
        self.left.remove(server, self._final)
        if not self.left.paths and still_stands(server, self._final):
            self.left.paths[self._final] = "The server said that it was removed"
        if not self.left.paths:
            self.note(removes=True)
            self._try_folder(server)

    def _write_first(self, server: Server, path: str) -> None:
        began = time.monotonic()
        server.put([SAMPLE], path)
        self.note(finish_seconds=round(time.monotonic() - began, 3))

    def _write_without_part(self, server: Server, part: str, refused: TransferError) -> bool:
        """Whether names of recordings are taken where a temporary one is not."""
        for ending in reversed(_ENDINGS):
            if self._final:
                self._withdraw_refused(server, self._final)
            self._final = self.path(ending)
            with contextlib.suppress(NameRefused, AccountFailure):
                self._write_in_place(server)
                self.note(temporary=False, rename=False, replace=False)
                words = f"The server refuses {part} ({refused.words}): {IN_PLACE}"
                self._wrote(f"{self._final}. {words}")
                self._look_at_size(server, self._final)
                self.note(look=find_look(server, self._final) or Look.NOTHING)
                return True
            if not server.connected:
                return False
        return False

    def _write_in_place(self, server: Server) -> None:
        """To its final name, and whether a file of that name would be refused."""
        if not server.features.guards_names:
            server.put([SAMPLE], self._final)
            return
        look, server.look = server.look, None  # a name that a look calls free is written to anyhow
        try:
            self._write_new(server)
        finally:
            server.look = look

    def _write_new(self, server: Server) -> None:
        try:
            server.put([SAMPLE], self._final, new=True)
        except (TargetExists, AccountFailure):  # it may not know what that is
            if not server.connected:
                raise
            server.put([SAMPLE], self._final)
            return
        try:
            server.put([SAMPLE], self._final, new=True)
        except TargetExists:
            self.note(exclusive=True)
        except AccountFailure:
            if not server.connected:
                raise

    def _look_at_size(self, server: Server, path: str) -> None:
        try:
            size = size_of(server, path, len(SAMPLE))
        except Unsupported:
            size = None
        if size is None:
            self.note(size=False)
            self.passed("size", "The server does not tell it: its confirmation has to do")
        elif size != len(SAMPLE):
            raise VerificationFailed(f"The server stored {size} of {len(SAMPLE)} bytes")
        else:
            self.passed("size", f"{size} bytes")

    def _move(self, server: Server, part: str) -> None:
        # Uploads go by `replace` where nothing tells whether a name is taken, and so does this.
        move = server.replace if server.look is None else server.rename
        for ending in _ENDINGS:
            self._final = self.path(ending)
            with contextlib.suppress(*_REFUSED):
                move(part, self._final)
                if still_stands(server, part):  # it only says that it was done
                    continue
                self.passed_with("renamed", self._final)
                self._replace(server, part)
                return
        self.note(rename=False, replace=False)
        self.left.remove(server, part)
        self._write_in_place(server)
        is_taken_away = self.found.look is Look.NOTHING and self._sees_final(server)
        self.passed("renamed", f"{TAKEN_AWAY if is_taken_away else REFUSED}: {IN_PLACE}")

    def _sees_final(self, server: Server) -> bool:
        """Whether the server tells of the final file what it has not told of the temporary one: a
        job there takes away what ends in `.part`."""
        look = find_look(server, self._final)
        if look is None:
            return False
        self.note(look=look, temporary=False)
        with contextlib.suppress(Unsupported):
            self.note(size=size_of(server, self._final, len(SAMPLE)) == len(SAMPLE))
        return True

    def _replace(self, server: Server, part: str) -> None:
        """A second file over the first: whether it is the one that stands there afterwards."""
        server.put([_LONGER_SAMPLE], part)
        may_refuse = server.look is None and server.features.guards_names
        if may_refuse and not self._refuses_taken(server, part):
            server.put([_LONGER_SAMPLE], part)
        try:
            server.replace(part, self._final)
        except _REFUSED:
            self.note(replace=False)
            self.left.remove(server, part)
        else:
            is_new = not self.found.size or server.size(self._final) == len(_LONGER_SAMPLE)
            self.note(replace=is_new)

    def _refuses_taken(self, server: Server, part: str) -> bool:
        """Whether a plain rename is refused where the name is taken. If not, it was done."""
        try:
            server.rename(part, self._final)
        except TargetExists:
            self.note(rename_refuses=True)
        except (Unsupported, NameRefused):
            pass
        else:
            return False
        return True

    def _tell_look(self) -> None:
        if self.found.look is not Look.NOTHING:
            return
        if self.settings.existing_file is ExistingFile.OVERWRITE:
            words = OVERWRITES
        else:
            refuses = self.found.rename_refuses if self.found.rename else self.found.exclusive
            words = REFUSES_TAKEN if refuses else UNSEEN
        self.passed("names", words)

    def _try_folder(self, server: Server) -> None:
        folder = self.path("")
        try:
            server.make_directory(folder)
        except PathRefused:
            self.note(mkdir=False)
            with contextlib.suppress(TransferError):  # it may be there, and not to be entered
                server.remove_directory(folder)
        else:
            remove_folder(server, self.left, folder)

    def _withdraw(self, server: Server, path: str) -> None:
        if path:
            with contextlib.suppress(TransferError):
                self.left.remove(server, path)

    def _withdraw_refused(self, server: Server, path: str) -> None:
        """Some servers keep a file that they refuse at its end."""
        with contextlib.suppress(Unsupported):
            if server.exists(path):
                self.left.remove(server, path)


def _is_plain(error: BaseException) -> bool:
    """Whether a server just did not take the file: many say no more than that it failed."""
    return isinstance(error, NameRefused | PathRefused) or type(error) is AccountFailure


def _count_at_once(server: Server, most: int, seconds: float) -> int:
    """How many uploads the server takes at once, tried up to `most` and for so many seconds."""
    more: list[Server] = []
    deadline = time.monotonic() + seconds
    try:
        with contextlib.suppress(TransferError):
            while 1 + len(more) < most and time.monotonic() < deadline:
                more.append(server.another())
    finally:
        for session in more:
            session.close()
    return 1 + len(more)
