"""What the test on save does with folders: the account's path, and those beneath it."""

import contextlib

from config.naming_settings import InFlight
from transports.base import SAMPLE, Server
from transports.errors import AccountFailure, NameRefused, PathRefused
from transports.free_names import is_no_folder
from transports.names import join, staging_of
from transports.settings_report import Findings
from transports.settings_trials import Leftovers


class SubfolderRefused(PathRefused):
    advice = "Let the user make folders in the path, or leave Subfolders empty."


def make_folders(server: Server, test: Findings) -> PathRefused | None:
    """Make sure of the account's path, and that recordings can have folders in it; why the path
    could not be made.

    Gateways of buckets refuse to make folders, and take files in them: the writing shows. Raises
    TransferError.
    """
    settings = test.settings
    refused: PathRefused | None = None
    try:
        server.make_directory(settings.path)
    except PathRefused as refusal:
        refused = refusal
    if settings.folder_template:
        _try_subfolder(server, test)
    if settings.in_flight is InFlight.FOLDER:
        with contextlib.suppress(PathRefused):
            server.make_directory(staging_of(settings.path, settings.in_flight))
    if refused is None:
        test.passed_with("path", settings.path)
    return refused


def remove_folder(server: Server, left: Leftovers, folder: str) -> None:
    """Remove it, or note that it is left; buckets have none."""
    left.remove_directory(server, folder)
    if is_no_folder(server, folder):
        left.paths.pop(folder, None)


def _try_subfolder(server: Server, test: Findings) -> None:
    """Raises SubfolderRefused where a folder can neither be made nor written to."""
    folder = test.path("")
    file = join(folder, "courier-test.txt")
    refused: PathRefused | None = None
    try:
        server.make_directory(folder)
    except PathRefused as refusal:
        refused = refusal
    try:
        server.put([SAMPLE], file)
    except (NameRefused, AccountFailure) as refusal:
        if not server.connected:
            raise
        if refused is None:
            remove_folder(server, test.left, folder)
            raise
        raise SubfolderRefused(refused.words) from refusal
    test.left.remove(server, file)
    remove_folder(server, test.left, folder)
