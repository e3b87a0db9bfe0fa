"""The address of a list: its filter, its order and its page stand in it, so that Back and reload
keep them and a link can be sent to somebody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

PLACE = ("page", "cursor", "before")
"""The part of an address that is only true of one filter and one order."""
ORDER = "sort"
FOLDS = "open"
"""What is unfolded of a tree: no filter."""


@dataclass(frozen=True)
class Address:
    """Where a list stands; templates make the links of its columns, tiles and pages of it."""

    path: str
    values: Mapping[str, str]
    """What is chosen; what is empty is left out."""
    order: str = ""
    """The order of a list whose address names none."""

    @classmethod
    def of(cls, request: Request, order: str = "") -> "Address":
        """The address of the request."""
        given = dict(request.query_params)
        chosen = {name: value for name, value in given.items() if value}
        return cls(request.url.path, chosen, order)

    def url(self, **changes: object) -> str:
        """The same list with these changes, on its first page; None or empty takes a value away."""
        kept = {name: value for name, value in self.values.items() if name not in PLACE}
        values = {name: value for name, value in {**kept, **changes}.items() if value}
        return f"{self.path}?{urlencode(values)}" if values else self.path

    def only(self, **values: object) -> str:
        """The list with this filter alone, in the same order."""
        return Address(self.path, {}).url(**values, sort=self.values.get(ORDER))

    def sorted_url(self, column: str, *, falling_first: bool = False) -> str:
        """The list by this column; where it is by that already, the other way round."""
        now = self.values.get(ORDER, self.order)
        falling = f"-{column}"
        if now == column or (now != falling and falling_first):
            return self.url(sort=falling)
        return self.url(sort=column)

    def direction(self, column: str) -> str:
        """`ascending` or `descending`; empty where the list is by another column."""
        now = self.values.get(ORDER, self.order)
        return {column: "ascending", f"-{column}": "descending"}.get(now, "")

    @property
    def query(self) -> str:
        """What is chosen, as the address has it, on whichever page."""
        return self.query_without()

    def query_without(self, *names: str) -> str:
        """The same without some of it."""
        kept = {name: value for name, value in self.values.items() if name not in {*PLACE, *names}}
        return urlencode(kept)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but order, folds and page is chosen."""
        return any(name not in {*PLACE, ORDER, FOLDS} for name in self.values)

    @property
    def unfiltered_url(self) -> str:
        """The whole list, in the same order."""
        return self.only()
