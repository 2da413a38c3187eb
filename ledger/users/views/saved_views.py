"""Views that people saved: the filter of a page, by a name of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError

VIEWS_MAX: Final = 50
"""Of a person, for a screen."""
TITLE_MAX: Final = 60
QUERY_MAX: Final = 2_000
_LIST: LiteralString = """
SELECT title, query FROM saved_view WHERE name = %s AND screen = %s ORDER BY title
"""
# Within the limit, or in the place of one of that title.
_SAVE: LiteralString = """
INSERT INTO saved_view (name, screen, title, query, saved_at)
SELECT %(name)s, %(screen)s, %(title)s, %(query)s, %(at)s
WHERE (SELECT count(*) FROM saved_view
       WHERE name = %(name)s AND screen = %(screen)s AND title <> %(title)s) < %(most)s
ON CONFLICT (name, screen, title) DO UPDATE SET query = excluded.query, saved_at = excluded.saved_at
"""
_FORGET: LiteralString = """
DELETE FROM saved_view WHERE name = %s AND screen = %s AND title = %s
"""


class SavedView(NamedTuple):
    """A filter as it stands in an address, after its "?"."""

    title: str
    query: str


class UnfitViewError(LedgerError):
    """A view cannot be saved so."""


def saved_views(connection: Connection[Any], name: str, screen: str) -> Sequence[SavedView]:
    """Return what *name* saved of a screen, by title."""
    return [SavedView(*row) for row in connection.execute(_LIST, (name, screen))]


def save_view(
    connection: Connection[Any], name: str, screen: str, view: SavedView, at: datetime
) -> None:
    """Keep a view of *name*; one of the same title is replaced.

    Raises:
        UnfitViewError: If it has no title, or is too long, or there are too many.
    """
    if not 0 < len(view.title) <= TITLE_MAX:
        message = f"give the view a name of 1 to {TITLE_MAX} letters"
        raise UnfitViewError(message)
    if len(view.query) > QUERY_MAX:
        message = f"a view holds at most {QUERY_MAX} letters of an address"
        raise UnfitViewError(message)
    row = {**view._asdict(), "name": name, "screen": screen, "at": at, "most": VIEWS_MAX}
    if not connection.execute(_SAVE, row).rowcount:
        message = f"you have {VIEWS_MAX} views here: forget one first"
        raise UnfitViewError(message)


def forget_view(connection: Connection[Any], name: str, screen: str, title: str) -> None:
    """Forget a view of *name*; one that is not there is forgotten already."""
    connection.execute(_FORGET, (name, screen, title))
