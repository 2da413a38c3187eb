"""Which tokens are a customer's, and when: what it charged is found by them.

As declared by now, and as a session's payer is found (`ledger.rating.payers`): a token's customer,
or else that of its parent token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, LiteralString, NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.tokens import Token

_ENDLESS: Final = "infinity"
TOKENS: LiteralString = """
unnest(%(tokens)s::text[], %(token_begins)s::timestamptz[], %(token_ends)s::timestamptz[])
    AS held (token, begins, ends)
"""
"""Tokens as rows, asked with `HeldTokens.asked`."""


class HeldTokens(NamedTuple):
    """Tokens (subject ids), and from when until when each is the customer's: three columns."""

    tokens: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    def asked(self) -> dict[str, object]:
        """Return what `TOKENS` is asked with."""
        return {
            "tokens": list(self.tokens),
            "token_begins": list(self.begins),
            "token_ends": list(self.ends),
        }


_NONE: Final = HeldTokens()


def tokens_of(declarations: Declarations, customer: str) -> HeldTokens:
    """Return the tokens of *customer*, a subject id."""
    return _by_customer(declarations).get(customer, _NONE)


@lru_cache(maxsize=2)
def _by_customer(declarations: Declarations) -> Mapping[str, HeldTokens]:
    held: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for token in declarations.keys(Kind.TOKEN):
        for customer, begins, ends in _stretches(declarations, token):
            held[customer].append((token, begins, ends))
    return {
        customer: HeldTokens(*(tuple(column) for column in zip(*rows, strict=True)))
        for customer, rows in held.items()
    }


def _stretches(declarations: Declarations, token: str) -> Iterator[tuple[str, str, str]]:
    """Yield whose the token is from when until when."""
    moments = _changes(declarations, token)
    whose: str | None = None
    since = ""
    for at in moments:
        now = _customer(declarations, token, at)
        if now == whose:
            continue
        if whose is not None:
            yield whose, since, at.isoformat()
        whose, since = now, at.isoformat()
    if whose is not None:
        yield whose, since, _ENDLESS


def _changes(declarations: Declarations, token: str) -> list[datetime]:
    history = declarations.history(Kind.TOKEN, token)
    moments = {row.valid_from for row in history}
    parents = {each.parent for row in history if isinstance(each := row.entity, Token)} - {None}
    for parent in parents:
        moments |= {row.valid_from for row in declarations.history(Kind.TOKEN, str(parent))}
    return sorted(moments)


def _customer(declarations: Declarations, token: str, at: datetime) -> str | None:
    known = declarations.token(token, at)
    if known is None or known.customer or known.parent is None:
        return known.customer if known else None
    parent = declarations.token(known.parent, at)
    return parent.customer if parent else None
