"""Where a session was, as a document says it: at a station of ours, or of a partner."""

from __future__ import annotations

from ledger.invoices.shown import InvoicedSession
from ledger.rating.decisions import SessionRated
from projections.documents.content.teller import Teller


def session_place(teller: Teller, session: InvoicedSession) -> str:
    """Return where a session was: the site where it has a name, the station, the connector.

    Of a partner's station its operator's name, as it is declared, and where it stands.
    """
    text = teller.language.text
    evidence = teller.evidence.sessions.get(session.session_id)
    if (elsewhere := session.elsewhere) is not None:
        partner = evidence.partner if evidence and evidence.partner else elsewhere.party
        told = text("At a charging station of {partner}", partner=partner)
        return ", ".join(filter(None, (told, elsewhere.place)))
    parts = [evidence.site] if evidence and evidence.site else []
    parts.append(text("Station {station}", station=session.station_id))
    if session.evse_id is not None:
        parts.append(text("charging point {evse}", evse=str(session.evse_id)))
    return ", ".join(parts)


def station_named(session: InvoicedSession | SessionRated) -> str:
    """Return which station it was where there is room for its name alone, in no language."""
    if (elsewhere := session.elsewhere) is None:
        return session.station_id
    return ", ".join(filter(None, (elsewhere.party, elsewhere.place)))
