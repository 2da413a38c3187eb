"""Drafts of CDRs by what is declared: which partner owes a rating, by which tariff, from where."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from ledger.declared.declarations import Declarations, Kind
from ledger.errors import LedgerError
from ledger.master_data.partners import Partner
from ledger.master_data.tariff_versions import TariffVersion
from ledger.rating.decisions import PayerKind, SessionRated
from roaming_ocpi.cdrs.made import CdrNote
from roaming_ocpi.cdrs.making import CdrTerms, MadeBody, NoPeriodsError, make_body
from roaming_ocpi.cdrs.place import Whereabouts, place_of
from roaming_ocpi.cdrs.saying import Speaker, UnsayableCdrError
from roaming_ocpi.cdrs.sequel import CdrDraft
from roaming_ocpi.cdrs.tariff_copies import own_tariff
from tariffs.errors import TariffError
from tariffs.model.tariff import Tariff

REASON_MAX: Final = 1000
_KEPT_MAX: Final = 512


class RefusedDraft(NamedTuple):
    """Why no CDR is made: a code for programs, a reason for people."""

    party: str
    code: str
    reason: str


class _Found(NamedTuple):
    """A tariff version, and from when on it holds by its declaration."""

    tariff: Tariff
    since: datetime


def is_for_partner(rated: SessionRated) -> bool:
    """Whether a partner owes *rated* by a CDR; one that gets our invoice must not pay twice."""
    return rated.payer.kind is PayerKind.PARTNER and rated.payer.invoicing is None


class CdrDrafter:
    """Drafts CDRs; keeps what it knows of tariff versions."""

    def __init__(self) -> None:
        self._speaker = Speaker()
        self._tariffs: dict[str, _Found] = {}
        self._own: dict[tuple[str, str, Decimal], Tariff] = {}

    def draft(self, declared: Declarations, rated: SessionRated) -> CdrDraft | RefusedDraft:
        """Return the CDR of *rated*, which a partner owes, or why there is none. Never raises."""
        party = rated.payer.party
        try:
            terms = self._terms(declared, rated)
            if isinstance(terms, RefusedDraft):
                return terms
            made = make_body(rated, terms, self._speaker)
        except UnsayableCdrError as error:
            return RefusedDraft(party, "total_differs", str(error)[:REASON_MAX])
        except NoPeriodsError as error:
            return RefusedDraft(party, "no_periods", str(error)[:REASON_MAX])
        except (TariffError, LedgerError) as error:
            return RefusedDraft(party, "unpriceable", str(error)[:REASON_MAX])
        except Exception as error:  # noqa: BLE001 - one odd session must not stop all others
            # Its own words may name a person.
            reason = f"making it failed with {type(error).__name__}; this is a fault of ours"
            return RefusedDraft(party, "failed", reason)
        body = msgspec.structs.replace(made.body, declared_version=declared.version)
        return CdrDraft(party, _with_notes(made._replace(body=body), rated, terms))

    def _terms(self, declared: Declarations, rated: SessionRated) -> CdrTerms | RefusedDraft:
        party = rated.payer.party
        partner = partner_at(declared, party, rated.started_at)
        if partner is None:
            reason = f"declare the partner {party!r} under `partners:`, then its CDRs are made"
            return RefusedDraft(party, "partner_undeclared", reason)
        entity = declared.legal_entity(partner.legal_entity, rated.started_at)
        our_party = entity.party if entity else None
        if our_party is None:
            reason = f"declare the `party` of the legal entity {partner.legal_entity!r}"
            return RefusedDraft(party, "party_undeclared", reason)
        found = self._tariff(declared, rated)
        if found is None:
            reason = f"the version {rated.tariff_hash[:12]} of {rated.tariff_id!r} is gone"
            return RefusedDraft(party, "tariff_unknown", reason)
        place = place_of(declared, Whereabouts.of(rated), our_party)
        own = self._own_tariff(found, rated.tariff_hash, our_party, partner.mark_up_percent)
        return CdrTerms(own, partner, our_party, place)

    def _own_tariff(
        self, found: _Found, tariff_hash: str, our_party: str, mark_up: Decimal
    ) -> Tariff:
        """Return a tariff version as it is told to partners with this mark-up, made once."""
        key = tariff_hash, our_party, mark_up
        own = self._own.get(key)
        if own is None:
            if len(self._own) >= _KEPT_MAX:
                self._own.clear()
            own = self._own[key] = own_tariff(
                found.tariff, party=our_party, mark_up=mark_up, since=found.since
            )
        return own

    def _tariff(self, declared: Declarations, rated: SessionRated) -> _Found | None:
        """Return the tariff version that priced *rated*, by its hash."""
        found = self._tariffs.get(rated.tariff_hash)
        if found is None:
            for each in declared.history(Kind.TARIFF, rated.tariff_id):
                entity = each.entity
                if isinstance(entity, TariffVersion) and entity.sha256 == rated.tariff_hash:
                    found = _Found(entity.tariff, each.valid_from)
                    if len(self._tariffs) >= _KEPT_MAX:
                        self._tariffs.clear()
                    self._tariffs[rated.tariff_hash] = found
                    break
        return found


def partner_at(declared: Declarations, party: str, at: datetime) -> Partner | None:
    """Return the partner as declared for *at*; of one that was declared later, as it was first.

    Its drivers may charge before it is declared here: a hub's, or those of a late registration.
    """
    known = declared.partner(party, at)
    if known is None and declared.in_force(Kind.PARTNER, party, at) is None:
        history = declared.history(Kind.PARTNER, party)
        first = history[0].entity if history else None
        known = first if isinstance(first, Partner) else None
    return known


def _with_notes(made: MadeBody, rated: SessionRated, terms: CdrTerms) -> MadeBody:
    if terms.partner.legal_entity == rated.legal_entity:
        return made
    message = f"{rated.legal_entity!r} sold it, the contract is with {terms.partner.legal_entity!r}"
    note = CdrNote(code="other_legal_entity", message=message)
    return made._replace(notes=(*made.notes, note))
