"""The directory on a real MongoDB: permissions, the tree, numbers, and the change of keys."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo.database import Database

from config.accounts import Account, DeliveryMethod, FtpSettings, Protocol, lineage
from config.directory import Directory, Number, account_of
from config.errors import AccountError, SecretError, UnknownAccount
from config.passwords import generate_password
from config.secrets import Vault
from config.tokens import Tokens
from config.users import Users

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
SETTINGS = FtpSettings(protocol=Protocol.FTP, host="ftp.customer.example", username="acme")


@pytest.fixture
def directory(database: Database[dict[str, Any]]) -> Directory:
    return Directory(database, Vault([OLD]))


def family(directory: Directory, **parents: str | None) -> None:
    for name, parent in parents.items():
        directory.create(name, parent=parent)


def permitted(directory: Directory) -> set[str]:
    return {each.account_id for each in directory.list() if directory.may_use_ftp(each)}


def test_the_permission_is_passed_down_taken_away_and_comes_back(directory: Directory) -> None:
    family(directory, a=None, b="a", c="b", x=None)
    for name in "abc":
        assert directory.set_ftp_access(name, granted=True).ftp_access
    directory.save_settings("c", SETTINGS, generate_password())
    assert permitted(directory) == {"a", "b", "c"}
    directory.set_ftp_access("a", granted=False)
    assert permitted(directory) == set()
    assert directory.get("c").settings == SETTINGS
    assert directory.get("c").enabled
    directory.set_ftp_access("a", granted=True)
    assert permitted(directory) == {"a", "b", "c"}


def test_settings_are_forgotten_with_their_password(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    directory.create("acme", name="Acme Ltd", ftp_access=True)
    with pytest.raises(AccountError, match="no FTP settings to remove"):
        directory.forget_settings("acme")
    with pytest.raises(UnknownAccount):
        directory.forget_settings("nobody")
    directory.save_settings("acme", SETTINGS, generate_password())
    directory.forget_settings("acme")
    account = directory.get("acme")
    assert (account.settings, account.enabled) == (None, False)
    assert (account.name, account.ftp_access) == ("Acme Ltd", True)
    assert stored_passwords(database) == {}
    with pytest.raises(AccountError, match="no FTP settings"):
        directory.password("acme")
    directory.save_settings("acme", SETTINGS, generate_password())
    assert directory.get("acme").enabled


def test_a_permission_that_the_parent_has_not_cannot_be_passed_on(directory: Directory) -> None:
    family(directory, a=None, b="a")
    with pytest.raises(AccountError, match="grant it to 'a' first"):
        directory.set_ftp_access("b", granted=True)
    with pytest.raises(AccountError, match="grant it to 'a' first"):
        directory.create("c", parent="a", ftp_access=True)
    assert directory.find("c") is None
    assert not directory.set_ftp_access("b", granted=False).ftp_access
    with pytest.raises(UnknownAccount):
        directory.set_ftp_access("z", granted=True)


def test_the_tree_is_read_downwards(directory: Directory) -> None:
    family(directory, a=None, b="a", c="a", d="c", x=None)
    assert [each.account_id for each in directory.children("a")] == ["b", "c"]
    assert [each.account_id for each in directory.descendants("a")] == ["b", "c", "d"]
    assert directory.children("x") == directory.descendants("unknown") == ()


def test_what_the_ledger_keeps_of_an_account_is_not_read_with_its_settings(
    directory: Directory, database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    family(directory, top=None, middle="top")
    kept = {"run": {"paused": False}, "standstills": [{"words": "x" * 200}] * 50}
    database["accounts"].update_many({}, {"$set": kept})
    read: list[set[str]] = []

    def seen(document: dict[str, Any]) -> Account:
        read.append({*document})
        return account_of(document)

    monkeypatch.setattr("config.directory.account_of", seen)
    monkeypatch.setattr("config.directory.account_or_why", seen)
    directory.get("middle")
    directory.find_all(["top"])
    assert len([*directory.list(), *directory.children("top")]) == 3
    assert len(read) == 5
    assert not any(fields & {*kept} for fields in read)


def test_an_account_moves_with_all_beneath_it_and_its_permission_with_its_place(
    directory: Directory,
) -> None:
    family(directory, a=None, b="a", c="b", x=None)
    for name in "abc":
        directory.set_ftp_access(name, granted=True)
    directory.move("b", "x")
    assert [each.account_id for each in directory.descendants("x")] == ["b", "c"]
    assert permitted(directory) == {"a"}
    directory.move("b", None)
    assert permitted(directory) == {"a", "b", "c"}


@pytest.mark.parametrize("parent", ["a", "b", "unknown"])
def test_a_move_that_cannot_be_changes_nothing(directory: Directory, parent: str) -> None:
    family(directory, a=None, b="a")
    with pytest.raises(AccountError):
        directory.move("a", parent)
    assert directory.get("a").parent is None
    with pytest.raises(UnknownAccount):
        directory.move("z", None)


def test_moves_at_the_same_moment_never_close_a_circle(directory: Directory) -> None:
    family(directory, a=None, b=None, c=None)
    wanted = [("a", "b"), ("b", "c"), ("c", "a")]
    for _ in range(20):
        together = threading.Barrier(len(wanted))

        def move(name: str, parent: str, together: threading.Barrier = together) -> None:
            together.wait()
            with contextlib.suppress(AccountError):
                directory.move(name, parent)

        with ThreadPoolExecutor(len(wanted)) as pool:
            for done in [pool.submit(move, *each) for each in wanted]:
                done.result()
        for account in directory.list():
            list(lineage(account, directory.find))
        for name in "abc":
            directory.move(name, None)


def test_an_account_is_renamed_within_the_rules(directory: Directory) -> None:
    directory.create("acme", name="Acme")
    directory.save_settings("acme", SETTINGS, generate_password())
    directory.rename("acme", "Läufer & Söhne")
    assert directory.get("acme").name == "Läufer & Söhne"
    for wrong in ("a\r\nb", "x" * 101, "a\u202eb"):
        with pytest.raises(AccountError, match=r"^Name must [^\n]+\.$"):
            directory.rename("acme", wrong)
        with pytest.raises(AccountError, match=r"^Name must [^\n]+\.$"):
            directory.create("other", name=wrong)
    assert directory.get("acme").name == "Läufer & Söhne"
    assert directory.get("acme").settings == SETTINGS
    with pytest.raises(UnknownAccount):
        directory.rename("z", "Z")


def test_the_default_method_is_a_field_of_its_own(directory: Directory) -> None:
    directory.create("acme")
    assert directory.get("acme").default_method is DeliveryMethod.FTP
    directory.set_default_method("acme", DeliveryMethod.EMAIL)
    assert directory.get("acme").default_method is DeliveryMethod.EMAIL
    with pytest.raises(UnknownAccount):
        directory.set_default_method("z", DeliveryMethod.EMAIL)


def test_what_an_account_stored_cannot_be_used_for_is_one_sentence(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    directory.create("acme")
    database["accounts"].update_one({"_id": "acme"}, {"$set": {"default_method": "pigeon"}})
    with pytest.raises(AccountError, match=r"^The account 'acme' cannot be used: [^\n]+\.$"):
        directory.find("acme")


def test_every_new_field_is_stored_and_read_back(directory: Directory) -> None:
    directory.create("acme")
    settings = FtpSettings.model_validate(
        {
            **SETTINGS.model_dump(),
            "uploads": 4,
            "existing_file": "overwrite",
            "alert_frequency": "outage",
            "recovery_email": True,
        }
    )
    directory.save_settings("acme", settings, generate_password())
    assert directory.get("acme").settings == settings


def test_settings_of_an_earlier_version_have_the_new_fields_defaults(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    directory.create("acme")
    old = {"protocol": "ftp", "host": "ftp.customer.example", "port": 21, "username": "acme"}
    database["accounts"].update_one({"_id": "acme"}, {"$set": {"settings": old}})
    assert directory.get("acme").settings == SETTINGS


def test_numbers_belong_to_accounts(directory: Directory) -> None:
    family(directory, a=None, b="a")
    directory.set_number(Number("+44", "a", DeliveryMethod.EMAIL))
    directory.set_number(Number("+45", "b", DeliveryMethod.FTP))
    directory.set_number(Number("+44", "b", DeliveryMethod.FTP_AND_EMAIL))
    assert directory.number("+44") == Number("+44", "b", DeliveryMethod.FTP_AND_EMAIL)
    assert [each.number for each in directory.numbers()] == ["+44", "+45"]
    assert [each.number for each in directory.numbers(["b"])] == ["+44", "+45"]
    assert list(directory.numbers([])) == list(directory.numbers(["a"])) == []
    for number in ("", "0" * 65, "1", "日", "not a number"):
        with pytest.raises(AccountError, match="digits"):
            directory.set_number(Number(number, "a", DeliveryMethod.FTP))
    with pytest.raises(UnknownAccount):
        directory.set_number(Number("+46", "z", DeliveryMethod.FTP))


def test_a_number_that_was_stored_as_it_was_typed_stays_known_by_that(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    family(directory, a=None)
    for typed in ("sip:anna@x.example", "+44 1632 960001"):
        database["numbers"].insert_one({"_id": typed, "account_id": "a", "method": "ftp"})
        directory.set_number(Number(typed, "a", DeliveryMethod.EMAIL))
        directory.set_number_method(Number(typed, "a", DeliveryMethod.FTP_AND_EMAIL))
        assert directory.number(typed) == Number(typed, "a", DeliveryMethod.FTP_AND_EMAIL)
        directory.remove_number(typed)
    directory.set_number(Number("+44 1632 960001", "a", DeliveryMethod.EMAIL))
    assert [each.number for each in directory.numbers()] == ["+441632960001"]
    directory.remove_number("+44 (0)1632-960001")
    assert list(directory.numbers()) == []


def test_the_method_of_another_accounts_number_cannot_be_changed(directory: Directory) -> None:
    family(directory, a=None, b=None)
    directory.set_number(Number("+44", "a", DeliveryMethod.FTP))
    directory.set_number_method(Number("+44", "a", DeliveryMethod.EMAIL))
    for number in ("+44", "+45"):
        with pytest.raises(AccountError, match="is not one of the account 'b'"):
            directory.set_number_method(Number(number, "b", DeliveryMethod.FTP))
    assert directory.number("+44") == Number("+44", "a", DeliveryMethod.EMAIL)
    assert directory.number("+45") is None


def test_with_an_account_go_its_numbers_users_and_tokens(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    users, tokens = Users(database, directory.find), Tokens(database, directory.find)
    family(directory, a=None, b="a")
    for name in "ab":
        directory.set_number(Number(f"+4{ord(name)}", name, DeliveryMethod.FTP))
        users.create(f"user-{name}", name, generate_password())
        tokens.create(f"token of {name}", name)
    with pytest.raises(AccountError, match="has the sub account 'b'"):
        directory.remove("a")
    directory.remove("b")
    assert [each.account_id for each in directory.list()] == ["a"]
    assert [each.account_id for each in directory.numbers()] == ["a"]
    assert [each.account_id for each in users.list()] == ["a"]
    assert [each.account_id for each in tokens.list()] == ["a"]


def stored_passwords(database: Database[dict[str, Any]]) -> dict[str, str]:
    return {
        each["_id"]: each["password"]
        for each in database["accounts"].find({"password": {"$gt": ""}})
    }


def test_every_password_is_encrypted_anew_and_doing_it_again_changes_nothing(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    passwords = {name: generate_password() for name in "abc"}
    for name, password in passwords.items():
        directory.create(name)
        directory.save_settings(name, SETTINGS, password)
    directory.create("without")
    both = Vault([NEW, OLD])
    assert directory.rotate(both).rotated == 3
    after = stored_passwords(database)
    again = directory.rotate(both)
    assert (again.rotated, again.unreadable) == (0, ())
    assert stored_passwords(database) == after
    renewed = Directory(database, Vault([NEW]))
    assert {name: renewed.password(name) for name in passwords} == passwords


def test_a_password_no_key_can_read_is_named_and_left_and_the_others_go_on(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    for name in "ab":
        directory.create(name)
        directory.save_settings(name, SETTINGS, generate_password())
    lost = Vault([SecretStr(Fernet.generate_key().decode())]).encrypt(generate_password())
    database["accounts"].update_one({"_id": "a"}, {"$set": {"password": lost}})
    rotation = directory.rotate(Vault([NEW, OLD]))
    assert (rotation.rotated, rotation.unreadable) == (1, ("a",))
    assert stored_passwords(database)["a"] == lost
    with pytest.raises(SecretError, match="COURIER_SECRET_KEYS is not set"):
        directory.rotate(Vault([]))


class _SavingMeanwhile(Vault):
    """A vault during whose first rotation somebody saves another password."""

    def __init__(self, directory: Directory, password: SecretStr) -> None:
        super().__init__([NEW, OLD])
        self._save: list[SecretStr] = [password]
        self._directory = directory

    def rotate(self, token: str) -> str:
        rotated = super().rotate(token)
        if self._save:
            self._directory.save_settings("acme", SETTINGS, self._save.pop())
        return rotated


def test_a_password_saved_meanwhile_is_kept_and_rotated_too(
    directory: Directory, database: Database[dict[str, Any]]
) -> None:
    directory.create("acme")
    directory.save_settings("acme", SETTINGS, generate_password())
    saved_meanwhile = generate_password()
    rotation = directory.rotate(_SavingMeanwhile(directory, saved_meanwhile))
    assert rotation.rotated == 1
    assert Directory(database, Vault([NEW])).password("acme") == saved_meanwhile
