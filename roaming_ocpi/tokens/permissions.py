"""A partner's permission to charge, as it answers a real-time authorization.

Source: OCPI 2.1.1, mod_tokens, 12.3.1; OCPI 2.2.1 and 2.3.0, mod_tokens, 12.4.1 and 12.4.3.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from ledger.partners.asking import AskedAnswer, ShownToken
from ledger.partners.tokens import ID_MAX
from roaming_ocpi.client.answers import PartnerAnswer, PartnerRefusedError
from roaming_ocpi.wire.ids import evse_id, evse_uid, location_id
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.documents import RepeatedKeys

_ANSWERS: Final = {
    "ALLOWED": AskedAnswer.ALLOWED,
    "BLOCKED": AskedAnswer.BLOCKED,
    "EXPIRED": AskedAnswer.EXPIRED,
    "NO_CREDIT": AskedAnswer.NO_CREDIT,
    "NOT_ALLOWED": AskedAnswer.NOT_ALLOWED,
}
_NOT_FOUND: Final = 404
_WORD: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class TokenPermission(NamedTuple):
    """What a partner answered; `contract_id` is its token's, None where it named none."""

    answer: AskedAnswer
    reference: str | None = None
    contract_id: str | None = None

    def __repr__(self) -> str:
        return f"TokenPermission({self.answer})"


class WhereShown(NamedTuple):
    """Where the token is shown, of a CPO that is *our_party*."""

    our_party: str
    shown: ShownToken

    def is_left_out(self, location: object) -> bool:
        """Whether an answer's `location` names EVSEs of this place, and none of this station.

        "Only the EVSEs the EV driver is allowed to charge at are returned"; at which of its EVSEs
        the token is shown, a station does not say. What names another place restricts nothing here.
        Source: OCPI 2.2.1, mod_tokens, AuthorizationInfo, and LocationReferences.
        """
        said = location if isinstance(location, dict) else {}
        named, uids = said.get("location_id"), said.get("evse_uids")
        ours = location_id(self.shown.site).casefold()
        if not isinstance(named, str) or named.casefold() != ours or not isinstance(uids, list):
            return False
        station = self.shown.station_id
        # Some name EVSEs as drivers see them.
        spelt = evse_uid(station, 0), evse_id(self.our_party, station, 0)
        return bool(uids) and {_station_in(each) for each in spelt}.isdisjoint(
            _station_in(str(each)) for each in uids
        )


def permission_in(answer: PartnerAnswer, uid: str, where: WhereShown) -> TokenPermission:
    """Return the permission in an answer about the token *uid*, shown *where*. Total.

    A word for "allowed" that we do not know is no permission, and an answer without one is as
    good as silence. Some partners put it into a list, alone: that is no reason to leave a driver
    standing. A reference that repeats who was asked about is not kept: it stands in clear.
    """
    data = answer.data
    if isinstance(data, list) and len(data) == 1:
        [data] = data
    if answer.status_code == Status.UNKNOWN_TOKEN:
        return TokenPermission(AskedAnswer.UNKNOWN)
    if isinstance(data, RepeatedKeys):  # allowed and blocked, and nobody can say which holds
        return TokenPermission(AskedAnswer.SILENT)
    if not isinstance(data, dict) or not isinstance(data.get("allowed"), str):
        return TokenPermission(AskedAnswer.SILENT)
    word = _ANSWERS.get(data["allowed"].upper(), AskedAnswer.NOT_ALLOWED)
    if word is AskedAnswer.ALLOWED and where.is_left_out(data.get("location")):
        word = AskedAnswer.NOT_ALLOWED
    token = data.get("token")
    token = token if isinstance(token, dict) else {}
    said_uid, contract_id = token.get("uid"), _id_in(token.get("contract_id"))
    if not isinstance(said_uid, str) or said_uid.casefold() != uid.casefold():
        contract_id = None
    reference = _id_in(data.get("authorization_reference"))
    if reference and any(
        each.casefold() in reference.casefold() for each in (uid, contract_id or uid)
    ):
        reference = None
    return TokenPermission(word, reference, contract_id)


def refusal_in(error: PartnerRefusedError) -> AskedAnswer:
    """Return what a refusal says: that it has no such token, or nothing that can be used."""
    answer = error.answer
    is_unknown = answer.status_code == Status.UNKNOWN_TOKEN
    # Some partners answer 404 alone (OCPI 2.2.1, 12.2.2: it shall be 404 and 2004).
    is_absent = answer.http == _NOT_FOUND and answer.status_code in (0, Status.CLIENT_ERROR)
    return AskedAnswer.UNKNOWN if is_unknown or is_absent else AskedAnswer.SILENT


def _station_in(evse: str) -> str:
    """Return what of an EVSE's id all of its station have, folded."""
    return evse.rpartition("*")[0].casefold()


def _id_in(value: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return an id that can be kept, None for anything else."""
    if isinstance(value, str) and len(value) <= ID_MAX and _WORD.fullmatch(value):
        return value
    return None
