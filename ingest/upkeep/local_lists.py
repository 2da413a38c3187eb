"""What a station's local list holds, and how a version writes it. Pure.

A list is what the station lets charge while it cannot ask: the declared tokens that may charge at
its site, with their group and expiry. A token with hours is left out, as no list can say them; so
is one of a customer who pays in advance, whose balance changes by the minute, and so are partners'
tokens, which are too many. All of these are asked about while the station is connected.

    site harbour, A {}, B {sites: [hotel]}, C {status: blocked}, D {hours: ...}   -> A alone
    the same in 1.6, A longer than 20 characters                                  -> nothing

Source: OCPP 1.6 edition 2, 5.15 and 6.45; OCPP 2.0.1 part 2, block D.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from ingest.answers.answering import timestamp
from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.policies import LocalList
from ledger.master_data.tokens import TokenStatus
from ledger.payments.topping_up.credit import payer_in_advance
from tariffs.model.canonical import canonical_json

OLD: Final = "ocpp1.6"
_UID_MAX: Final = {OLD: 20, "ocpp2.0.1": 36}
_UID_MAX_LATER: Final = 255


class ListEntry(NamedTuple):
    """A token of a list, by its subject; `group` is its parent's subject."""

    subject: str
    expires_at: datetime | None
    group: str | None


class ListUpdate(NamedTuple):
    """One SendLocalList: the `version` that the list has with it, and its payload."""

    version: int
    payload: Mapping[str, Any]


def list_mode(known: Declarations, station_id: str, at: datetime) -> LocalList:
    """Return how a station's list is kept: as itself, else its site, else the policy says."""
    station = known.station(station_id, at)
    if station is None:
        return LocalList.OFF
    site = known.site(station.site, at)
    return station.local_list or (site and site.local_list) or known.policy(at).local_list


class ListContents:
    """What the lists of all sites hold: who may charge at each, and who at one alone.

    One pass over the tokens, however many sites and stations there are.
    """

    def __init__(self, known: Declarations, at: datetime, *, is_old: bool) -> None:
        """Take over what is declared for *at*; *is_old*: for stations of 1.6.

        Those know no master pass, and would let one start; where it is known, its group lets it
        stop and not start.
        """
        self.version, self.as_of = known.version, at
        self._everywhere: dict[str, ListEntry] = {}
        self._at_sites: defaultdict[str, dict[str, ListEntry]] = defaultdict(dict)
        for subject in known.keys(Kind.TOKEN):
            token = known.token(subject, at)
            if token is None or token.status is not TokenStatus.ACCEPTED or token.has_expired(at):
                continue
            if token.hours or (is_old and token.is_master_pass):
                continue
            if payer_in_advance(known, token, at) is not None:
                continue
            entry = ListEntry(subject, token.expires_at, token.parent)
            for held in [self._at_sites[site] for site in token.sites] or [self._everywhere]:
                held[subject] = entry
        self._digest = _digest_of(self._everywhere)
        self._digests: dict[str, bytes] = {}

    def at(self, site: str) -> dict[str, ListEntry]:
        """Return the list of the stations at *site*, by subject."""
        return self._everywhere | self._at_sites.get(site, {})

    def digest(self, site: str) -> bytes:
        """Return what tells one content of the list at *site* from another."""
        if site not in self._digests:
            own = _digest_of(self._at_sites.get(site, {}))
            self._digests[site] = sha256(self._digest + own).digest()
        return self._digests[site]


def _digest_of(content: Mapping[str, ListEntry]) -> bytes:
    rows = [content[subject] for subject in sorted(content)]
    return sha256(canonical_json(rows)).digest()


def changed_entries(
    before: Mapping[str, ListEntry], after: Mapping[str, ListEntry]
) -> list[tuple[str, ListEntry | None]]:
    """Return what makes *after* of *before*: by subject, None for what is gone."""
    gone: list[tuple[str, ListEntry | None]] = [(s, None) for s in sorted(before.keys() - after)]
    return [*gone, *((s, after[s]) for s in sorted(after) if before.get(s) != after[s])]


def full_updates(
    entries: Sequence[ListEntry],
    uids: Mapping[str, str],
    protocol: str,
    *,
    version: int,
    items_max: int,
) -> list[ListUpdate]:
    """Return the messages that replace a station's list: the first one full, the rest add to it."""
    written = [
        row for each in entries if (row := _entry(each.subject, each, uids, protocol)) is not None
    ]
    parts = list(_parts(written, items_max)) or [[]]
    return [
        _update(protocol, version + number, part, is_full=number == 0)
        for number, part in enumerate(parts)
    ]


def differential_updates(
    changes: Sequence[tuple[str, ListEntry | None]],
    uids: Mapping[str, str],
    protocol: str,
    *,
    version: int,
    items_max: int,
) -> list[ListUpdate] | None:
    """Return the messages that change a station's list; None where one can no longer be named.

    Who was erased has no uid any more: only a full list takes it off.
    """
    if any(entry is None and subject not in uids for subject, entry in changes):
        return None
    written = [
        row
        for subject, entry in changes
        if (row := _entry(subject, entry, uids, protocol)) is not None
    ]
    return [
        _update(protocol, version + number, part, is_full=False)
        for number, part in enumerate(_parts(written, items_max))
    ]


def _parts(rows: Sequence[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _update(
    protocol: str, version: int, rows: Sequence[Mapping[str, Any]], *, is_full: bool
) -> ListUpdate:
    name = "listVersion" if protocol == OLD else "versionNumber"
    payload = {name: version, "updateType": "Full" if is_full else "Differential"}
    # 2.x wants at least one entry where there is a list; without one it is empty in both.
    return ListUpdate(version, {**payload, **({"localAuthorizationList": rows} if rows else {})})


def _entry(
    subject: str, entry: ListEntry | None, uids: Mapping[str, str], protocol: str
) -> dict[str, Any] | None:
    """Return a row of the list, None of a token that has no uid any more, or too long a one."""
    uid, uid_max = uids.get(subject), _UID_MAX.get(protocol, _UID_MAX_LATER)
    if uid is None or len(uid) > uid_max:
        return None
    name = {"idTag": uid} if protocol == OLD else {"idToken": _token(uid, "ISO14443")}
    if entry is None:
        return name
    group = None if entry.group is None else uids.get(entry.group)
    info: dict[str, Any] = {"status": "Accepted"}
    if entry.expires_at is not None:
        expires = "expiryDate" if protocol == OLD else "cacheExpiryDateTime"
        info[expires] = timestamp(entry.expires_at)
    if group is not None and len(group) <= uid_max:
        is_old = protocol == OLD
        info |= {"parentIdTag": group} if is_old else {"groupIdToken": _token(group, "Central")}
    return {**name, ("idTagInfo" if protocol == OLD else "idTokenInfo"): info}


def _token(uid: str, kind: str) -> dict[str, str]:
    return {"idToken": uid, "type": kind}


class ToldVersion(msgspec.Struct, rename="camel"):
    """GetLocalListVersion's answer, of either version; below 0 the station has no list at all."""

    list_version: int | None = None
    version_number: int | None = None

    @property
    def number(self) -> int | None:
        """The version of the list that the station has."""
        return self.version_number if self.list_version is None else self.list_version
