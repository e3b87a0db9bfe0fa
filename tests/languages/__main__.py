"""Brings the files of languages up to date; see the package."""

import sys
from io import BytesIO

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from tests.languages.messages import LANGUAGES, stored, used

_HEAD = """\
# The console's texts. `python -m tests.languages` brings them up to date: docs/languages.md.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def write(language: str, old: Catalog) -> None:
    """Store the file with the texts of now and the translations there are."""
    fresh = Catalog(Locale(language), fuzzy=False)
    for message in used():
        if not message.id:
            continue
        known = old.get(message.id)
        fresh.add(message.id, known.string if known else None, locations=message.locations)
    body = BytesIO()
    write_po(body, fresh, width=100, omit_header=True, sort_output=True, include_lineno=False)
    head = _HEAD.format(language=language, plural_forms=fresh.plural_forms)
    (LANGUAGES / f"{language}.po").write_text(head + body.getvalue().decode())


def main(begun: list[str]) -> None:
    """Write all files, and those of the languages that are begun."""
    for language in begun:
        write(language, Catalog(Locale(language)))
    for file in LANGUAGES.glob("*.po"):
        write(file.stem, stored(file.stem))


if __name__ == "__main__":
    main(sys.argv[1:])
