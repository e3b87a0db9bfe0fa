"""Telephone numbers in MongoDB (`numbers`): whose they are, and how what is typed finds them."""

from collections.abc import Collection, Iterator

from pymongo.database import Database

from config.account_documents import number_of
from config.documents import Document, of_accounts
from config.errors import AccountError
from config.numbers import Number, behind_country, check_number, spellings


class StoredNumbers:
    """The directory's part of them. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], country: str | None) -> None:
        self._country = country
        self._numbers = database["numbers"]

    def number(self, number: str) -> Number | None:
        """What is known of a telephone number, however it is spelled, or None."""
        spelled = self.spellings(number)
        known = self.find_numbers(spelled)
        return next((known[each] for each in spelled if each in known), None)

    def spellings(self, number: str) -> tuple[str, ...]:
        """How a number may be stored, the likeliest first."""
        return spellings(number, self._country)

    def find_numbers(self, numbers: Collection[str]) -> dict[str, Number]:
        """What is known of these telephone numbers."""
        documents = self._numbers.find({"_id": {"$in": list(numbers)}}) if numbers else ()
        return {document["_id"]: number_of(document) for document in documents}

    def numbers(
        self, account_ids: Collection[str] | None = None, limit: int = 0
    ) -> Iterator[Number]:
        """All numbers, or those of the accounts named, in order; 0 means no limit."""
        with self._numbers.find(of_accounts(account_ids)).sort("_id").limit(limit) as cursor:
            yield from map(number_of, cursor.to_list())

    def count_numbers(self, account_id: str) -> int:
        """How many numbers the account has."""
        return self._numbers.count_documents({"account_id": account_id})

    def ensure_indexes(self) -> None:
        """Create the index of numbers; one that stands is left as it is."""
        self._numbers.create_index([("account_id", 1), ("_id", 1)])

    def spelling(self, number: str, *, allow_short: bool = False) -> str:
        """A number as it is stored, or is to be. Raises AccountError where it is none.

        A number that an earlier version stored as it was typed is known by that spelling too.
        `allow_short`: a short code or an extension is one; a short code that is stored behind the
        country's code is to be stored as it is dialled.
        """
        known = self.number(number)
        is_behind = known is not None and known.number == behind_country(number, self._country)
        if known is not None and not (allow_short and is_behind):
            return known.number
        return check_number(number, self._country, allow_short=allow_short)

    def set_number_method(self, number: Number) -> None:
        """Change the delivery method of a number, as long as it is still this account's.

        For callers who may not take another account's number. Raises AccountError otherwise.
        """
        known = self.number(number.number)
        spelled = known.number if known else self.spelling(number.number, allow_short=True)
        query = {"_id": spelled, "account_id": number.account_id}
        change = {"$set": {"method": number.method.value}}
        if not self._numbers.update_one(query, change).matched_count:
            raise AccountError(
                f"The number {number.number!r} is not one of the account {number.account_id!r}."
            )

    def remove_number(self, number: str) -> None:
        """Forget a number. Raises AccountError where it is not known."""
        known = self.number(number)
        if known is None or not self._numbers.delete_one({"_id": known.number}).deleted_count:
            raise AccountError(f"The number {number!r} is not known.")

    def _store_number(self, number: Number) -> None:
        """Under its spelling, in the place of another one that it had."""
        known = self.number(number.number)
        spelled = self.spelling(number.number, allow_short=True)
        values = {"account_id": number.account_id, "method": number.method.value}
        self._numbers.replace_one({"_id": spelled}, values, upsert=True)
        if known is not None and known.number != spelled:
            self._numbers.delete_one({"_id": known.number})
