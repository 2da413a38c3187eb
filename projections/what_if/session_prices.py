"""One session both ways: why it costs what was billed, and why what the draft makes of it."""

from __future__ import annotations

from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.decisions import RatedLine, SessionRated
from ledger.rating.rate import rated_lines
from ledger.rating.stored import unpack_decision
from projections.energy.session_then import session_then
from projections.errors import ProjectionError
from projections.history import usage_as_rated
from projections.what_if.question import Against, WhatIf
from tariffs.errors import TariffError
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.policy import policy_named
from tariffs.model.tariff import Tariff
from tariffs.model.usage import SessionUsage
from tariffs.phrases.phrase import Phrase, phrase

_DECISION: LiteralString = """
SELECT body FROM final_decision
WHERE session_id = %s AND kind IN ('rated', 'released', 'corrected')
"""


class SideOfPrices(NamedTuple):
    """What one side comes to, in minor units with taxes, and the lines that make it.

    `gross_minor` None: the version is not known any more, or `refused` says why it prices nothing.
    """

    version: str
    gross_minor: int | None
    lines: tuple[RatedLine, ...] = ()
    notes: tuple[Phrase, ...] = ()
    refused: Phrase | None = None


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
        old=_unknown() if old is None else _priced(usage, old, then),
        new=_priced(usage, tariff, policy),
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


def _priced(usage: SessionUsage, tariff: Tariff, policy: str) -> SideOfPrices:
    try:
        priced = price_session(usage, compile_tariff(tariff), policy=policy_named(policy))
    except TariffError as error:
        return SideOfPrices(tariff.id, None, refused=error.said or phrase("told", text=str(error)))
    return SideOfPrices(tariff.id, priced.after_minor, rated_lines(priced), priced.notes)


def _unknown() -> SideOfPrices:
    return SideOfPrices("", None)
