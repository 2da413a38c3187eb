"""Drafts of tariffs: texts that somebody works on, kept whole, each with who kept it and when.

A draft never changes: who goes on from one keeps another, which names it. It may be unreadable as a
tariff, for what somebody wrote is not lost because of a missing colon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.master_data.tariff_versions import published
from tariffs.files.examples import failing_examples
from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.yaml.reader import SIZE_MAX
from tariffs.model.tariff import Tariff
from tariffs.problems import Problem

_DRAFT: LiteralString = """
SELECT number, tariff_id, sha256, version, based_on, drafted_by, drafted_at FROM tariff_draft
"""
_KEEP: LiteralString = """
INSERT INTO tariff_draft (tariff_id, text, sha256, version, based_on, drafted_by, drafted_at)
VALUES (%(tariff_id)s, %(text)s, %(sha256)s, %(version)s, %(based_on)s, %(by)s, %(at)s)
RETURNING number, tariff_id, sha256, version, based_on, drafted_by, drafted_at
"""
_FIND: LiteralString = f"{_DRAFT} WHERE number = %s"
_TEXT: LiteralString = "SELECT text FROM tariff_draft WHERE number = %s"
_OF_VERSION: LiteralString = f"{_DRAFT} WHERE version = %s ORDER BY number DESC LIMIT 1"
_LIST: LiteralString = f"{_DRAFT} WHERE number < %(before)s ORDER BY number DESC LIMIT %(limit)s"
_OF_TARIFF: LiteralString = f"""
{_DRAFT} WHERE tariff_id = %(tariff_id)s AND number < %(before)s
ORDER BY number DESC LIMIT %(limit)s
"""
EXAMPLES_WORK_MAX: Final = 5_000
"""Elements times days: about a second; a browser waits for it, and nobody else is to."""
_NUMBER_MAX: Final = 2**63 - 1


class Draft(NamedTuple):
    """One kept text, without the text itself (`draft_text`).

    `tariff_id` is the id that it names; while it has problems, that of the tariff that it was to
    change, "" where nobody said one. `version` is the hash of what it says, as a published version
    has it, "" while it has problems; `sha256` that of the text.
    """

    number: int
    tariff_id: str
    sha256: str
    version: str
    based_on: int | None
    by: str
    at: datetime

    @property
    def is_readable(self) -> bool:
        """Whether it is a tariff, which can be tried out and proposed."""
        return bool(self.version)

    @property
    def source(self) -> str:
        """Return what problems of it call it."""
        return f"draft {self.number}"


class DraftTextError(LedgerError):
    """A text that cannot be kept."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the draft cannot be kept: {why}")


class UnknownDraftError(LedgerError):
    """No draft has this number."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"there is no draft {number}: the list of drafts has those that were kept")


def read_draft(text: str, source: str = "draft") -> tuple[Tariff | None, list[Problem]]:
    """Read a text as a tariff and try its golden examples.

    It comes from a browser, so it must say all itself: it reads no file beside it.

    Returns:
        The tariff, None if there is any problem; and all problems, in the text's order.
    """
    tariff, problems = read_tariff_file(text, source, is_alone=True)
    if tariff is not None:
        problems = failing_examples(tariff, text, source, work_max=EXAMPLES_WORK_MAX)
    return (None if problems else tariff), problems


def keep_draft(
    connection: Connection[Any],
    text: str,
    *,
    by: str,
    at: datetime,
    based_on: int | None = None,
    about: str = "",
) -> Draft:
    """Keep *text* as a draft; the last one of its tariff is not kept twice by the same person.

    Args:
        connection: To the books.
        text: What somebody wrote, readable as a tariff or not.
        by: Who.
        at: Now.
        based_on: The draft that it was made from.
        about: The tariff that it is to change, for a text that cannot be read.

    Raises:
        DraftTextError: If it is empty, too long, or no text that can be stored.
        UnknownDraftError: If what it is *based_on* is not there.
    """
    # Browsers send a form's lines with CR LF, whatever was there before.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _check(text)
    _check(about or "-")
    if based_on is not None and find_draft(connection, based_on) is None:
        raise UnknownDraftError(based_on)
    tariff, _ = read_draft(text)
    tariff_id, sha256 = tariff.id if tariff else about, hashlib.sha256(text.encode()).hexdigest()
    last = drafts(connection, tariff_id=tariff_id, limit=1)
    if last and (last[0].sha256, last[0].by) == (sha256, by):
        return last[0]
    row = {
        "tariff_id": tariff_id,
        "text": text,
        "sha256": sha256,
        "version": "" if tariff is None else published(tariff).sha256,
        "based_on": based_on,
        "by": by,
        "at": at,
    }
    [kept] = connection.execute(_KEEP, row).fetchall()
    return Draft(*kept)


def _check(text: str) -> None:
    why = ""
    if not text.strip():
        why = "it is empty"
    elif "\0" in text:
        why = "it holds the character U+0000, which is no text"
    else:
        # A lone half of a pair becomes three bytes here, and is no text either.
        size = len(text.encode("utf-8", "surrogatepass"))
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            why = "it holds half of a character (a surrogate)"
        elif size > SIZE_MAX:
            why = f"it has {size} bytes; a tariff has at most {SIZE_MAX}"
    if why:
        raise DraftTextError(why)


def find_draft(connection: Connection[Any], number: int) -> Draft | None:
    """Return a draft, None where there is none."""
    if not 0 < number <= _NUMBER_MAX:
        return None
    row = connection.execute(_FIND, (number,)).fetchone()
    return None if row is None else Draft(*row)


def draft_of_version(connection: Connection[Any], version: str) -> Draft | None:
    """Return the newest draft that says what the version with this hash says."""
    row = connection.execute(_OF_VERSION, (version,)).fetchone() if version else None
    return None if row is None else Draft(*row)


def draft_text(connection: Connection[Any], draft: Draft) -> str:
    """Return the text of *draft*."""
    [(text,)] = connection.execute(_TEXT, (draft.number,)).fetchall()
    return str(text)


def drafts(
    connection: Connection[Any],
    *,
    tariff_id: str | None = None,
    before: int = _NUMBER_MAX,
    limit: int = 50,
) -> Sequence[Draft]:
    """Return the newest drafts, of one tariff or of all ("": those that cannot be read).

    Args:
        connection: To the books.
        tariff_id: Which tariff; None: any.
        before: Only older ones than this number, for the next page.
        limit: How many at most.
    """
    given = {"tariff_id": tariff_id, "before": before, "limit": limit}
    statement = _LIST if tariff_id is None else _OF_TARIFF
    return [Draft(*row) for row in connection.execute(statement, given)]
