"""One session both ways: why it costs what was billed, and why what the draft makes of it."""

from __future__ import annotations

from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from projections.energy.session_then import session_then
from projections.errors import ProjectionError
from projections.history import usage_as_rated
from projections.what_if.question import Against, WhatIf
from tariffs.errors import TariffError
from tariffs.explain import explanation
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import policy_named
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage

_DECISION: LiteralString = """
SELECT body FROM final_decision
WHERE session_id = %s AND kind IN ('rated', 'released', 'corrected')
"""


class SideOfPrices(NamedTuple):
    """What one side comes to, in minor units with taxes, and the kernel's words line by line."""

    version: str
    gross_minor: int | None
    words: tuple[str, ...]


class SessionPrices(NamedTuple):
    """A session both ways. `billed_minor` is what was decided.

    That differs from `old` where more than the tariff went into it: what sessions share.
    """

    rated: SessionRated
    billed_minor: int
    old: SideOfPrices
    new: SideOfPrices


class SessionTookNoPartError(ProjectionError):
    """No session of this name took part."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"no session {session_id} took part in this")


def session_prices(
    connection: Connection[Any], asked: WhatIf, tariff: Tariff, session_id: str
) -> SessionPrices:
    """Explain a session that took part.

    Raises:
        SessionTookNoPartError: If it did not.
    """
    row = connection.execute(_DECISION, (session_id,)).fetchone()
    rated = None if row is None else unpack_decision(row[0])
    if not isinstance(rated, SessionRated) or asked.choose(rated) != "":
        raise SessionTookNoPartError(session_id)
    newest = load_declarations(connection)
    # With what was known when it was decided: later facts would explain another price.
    known = load_declarations(connection, rated.declared_version, known=newest)
    usage = usage_as_rated(session_then(connection, known, rated), rated, known)
    if usage is None or rated.currency != tariff.currency:
        raise SessionTookNoPartError(session_id)
    old = _old_version(asked, newest, rated, tariff)
    policy = newest.policy(asked.after).pricing
    then = rated.policy if asked.against is Against.BILLED else policy
    return SessionPrices(
        rated=rated,
        billed_minor=rated.gross_minor,
        old=_unknown() if old is None else _words(usage, old, then),
        new=_words(usage, tariff, policy),
    )


def _old_version(
    asked: WhatIf, known: Declarations, rated: SessionRated, tariff: Tariff
) -> Tariff | None:
    if asked.against is Against.IN_FORCE:
        version = known.tariff(asked.tariff or tariff.id, asked.after)
        return None if version is None else version.tariff
    for row in known.history(Kind.TARIFF, rated.tariff_id):
        if isinstance(row.entity, TariffVersion) and row.entity.sha256 == rated.tariff_hash:
            return row.entity.tariff
    return None


def _words(usage: SessionUsage, tariff: Tariff, policy: str) -> SideOfPrices:
    try:
        priced = price_session(usage, compile_tariff(tariff), policy=policy_named(policy))
    except TariffError as error:
        return SideOfPrices(tariff.id, None, (str(error),))
    return SideOfPrices(tariff.id, priced.after_minor, tuple(explanation(priced)))


def _unknown() -> SideOfPrices:
    return SideOfPrices("", None, ())
