"""Catalogues of gettext: one .po file a language, read when it is first used.

They are compiled in memory; what the source tree holds is what a translator reads.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO, StringIO
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE: Final = "en"
"""The language of the messages themselves: its catalogue has only what readers are told instead."""


def catalogue_file(tag: str) -> Traversable:
    """Return the .po file of a language by its tag ("de", "en-US")."""
    return files("projections.documents.languages").joinpath("catalogues", f"{tag}.po")


def read_catalogue(tag: str) -> Catalog:
    """Return the catalogue of a language as it stands in its file."""
    return read_po(StringIO(catalogue_file(tag).read_text("utf-8")), abort_invalid=True)


def messages(text: str) -> dict[str, str]:
    """Return what a .po file says for each message; one in a context, or counted, is left out."""
    return {
        each.id: each.string
        for each in read_po(StringIO(text), abort_invalid=True)
        if isinstance(each.id, str) and isinstance(each.string, str) and each.id and each.string
    }


@cache
def messages_of(tag: str) -> dict[str, str]:
    """Return what a language's catalogue says for each message."""
    return messages(catalogue_file(tag).read_text("utf-8"))


@cache
def translations_of(tag: str) -> NullTranslations:
    """Return the translations of a language; what it does not have is said in English."""
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(tag))
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    if tag != SOURCE:
        translations.add_fallback(translations_of(SOURCE))
    return translations


@cache
def catalogues_sha256() -> str:
    """Return the hash of all catalogues together, in the order of their names."""
    folder = files("projections.documents.languages").joinpath("catalogues")
    found = sorted((file.name, file.read_bytes()) for file in folder.iterdir())
    return sha256(
        b"".join(name.encode() + b"\0" + text + b"\0" for name, text in found)
    ).hexdigest()
