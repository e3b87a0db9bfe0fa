"""The guides that the console serves: docs/help.md and docs/api.md, which are linked to from here.

They are made into HTML without their pictures: whoever reads them has the pages themselves.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_PAGES = {"help.md": "/help", "api.md": "/help/api"}
"""Where the guides stand in the console; they link to each other and to nothing else of docs/."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True)
class Guide:
    """A guide as a page shows it."""

    title: str
    body: Markup
    anchors: frozenset[str]
    """Of its chapters."""


def read_guide(name: str) -> Guide:
    """The guide of this name, `help` or `api`."""
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    tokens = [*_without_pictures(_MARKDOWN.parse(text))]
    headings = [*_headings(tokens)]
    for opening, words in headings:
        opening.attrSet("id", _anchor(words))
    for token in tokens:
        _turn_links(token)
    return Guide(
        title=headings[0][1],
        body=Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})),  # noqa: S704 - our own text, without HTML
        anchors=frozenset(_anchor(words) for _, words in headings),
    )


def _anchor(words: str) -> str:
    """As GitHub makes it of a heading, so that a link works in both places."""
    return re.sub(r"[^\w -]", "", words.lower()).strip().replace(" ", "-")


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[Token, str]]:
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            yield opening, inline.content


def _without_pictures(tokens: Sequence[Token]) -> Iterator[Token]:
    """Without the paragraphs that are a picture and nothing else."""
    pictures = {at for at, token in enumerate(tokens) if _is_picture(token)}
    around = {at + step for at in pictures for step in (-1, 0, 1)}
    return (token for at, token in enumerate(tokens) if at not in around)


def _is_picture(token: Token) -> bool:
    children = token.children or ()
    return bool(children) and all(each.type == "image" for each in children)


def _turn_links(token: Token) -> None:
    for each in token.children or ():
        path, sign, anchor = str(each.attrs.get("href", "")).partition("#")
        if path in _PAGES:
            each.attrSet("href", f"{_PAGES[path]}{sign}{anchor}")
