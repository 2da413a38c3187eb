"""Objects with their ids, what happened to them, and what is still to happen."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any, Final

import msgspec

from deploy.demo.provider.account.methods import PLAIN, Behaviour
from deploy.demo.provider.faults import Faults
from deploy.demo.provider.forms import integer
from deploy.demo.provider.refusals import Json, invalid, no_such

API_VERSION: Final = "2026-10-28.endive"
_PAGE: Final = 10
_PAGE_MAX: Final = 100
_BOUNDS: Final = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_PREFIXES: Final = {
    "customer": "cus",
    "payment_method": "pm",
    "setup_intent": "seti",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "dispute": "du",
    "payout": "po",
    "balance_transaction": "txn",
    "event": "evt",
    "mandate": "mandate",
}
_OF_NO_MODE: Final = {"refund", "balance_transaction"}
_OF_NO_DATE: Final = {"mandate"}


@dataclass(slots=True)
class ProviderTerms:
    """What the provider takes for its work, in minor units, and how long things take."""

    fee_bp: int = 150
    fee_fixed: int = 25
    dispute_fee: int = 1500
    gives_dispute_fee_back: bool = False
    hold: timedelta = timedelta(days=7)
    debit: timedelta = timedelta(days=5)
    settles_after: timedelta = timedelta(0)
    arrives_after: timedelta = timedelta(days=2)
    key_kept: timedelta = timedelta(hours=24)

    def fee(self, amount: int) -> int:
        """Return what is kept of a payment; half a unit is rounded up."""
        return (amount * self.fee_bp + 5000) // 10_000 + self.fee_fixed


@dataclass(slots=True)
class ProviderAccount:
    """All that the provider knows of one account. Not safe for threads: who calls holds a lock.

    Objects are dictionaries as the API shows them; an event holds its own as it was then, as JSON.
    `unsent` events wait for their webhooks. Of the balance's lines the first `settled` are there,
    the first `swept` went into payouts (`payout_lines`) but for those that are `unpaid`.
    `mandates`: by payment method, what its payer agreed to.
    """

    clock: Callable[[], datetime]
    faults: Faults = field(default_factory=Faults)
    terms: ProviderTerms = field(default_factory=ProviderTerms)
    id: str = "acct_fake0001"
    is_live: bool = False
    objects: dict[str, Json] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    unsent: list[Json] = field(default_factory=list)
    unpaid: list[Json] = field(default_factory=list)
    payout_lines: dict[str, list[str]] = field(default_factory=dict)
    mandates: dict[str, str] = field(default_factory=dict)
    settled: int = 0
    swept: int = 0
    request: Json = field(default_factory=lambda: {"id": None, "idempotency_key": None})
    _kinds: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    _ranks: dict[str, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _shift: timedelta = timedelta(0)
    _later: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)

    def now(self) -> datetime:
        """Return what time it is here: the clock's, and what was let pass besides."""
        return self.clock().astimezone(UTC) + self._shift

    def second(self) -> int:
        """Return the time as the API writes it."""
        return int(self.now().timestamp())

    def add(self, kind: str, fields: Mapping[str, Any], prefix: str = "") -> Json:
        """Keep a new object of *kind*, with an id of its own; return it."""
        number = next(self._numbers)
        made = {
            "id": f"{prefix or _PREFIXES[kind]}_fake{number:010d}",
            "object": kind,
            **({} if kind in _OF_NO_DATE else {"created": self.second()}),
            **({} if kind in _OF_NO_MODE else {"livemode": self.is_live}),
            **fields,
        }
        self.objects[made["id"]] = made
        self._ranks[made["id"]] = len(self._kinds[kind])
        self._kinds[kind].append(made)
        return made

    def all(self, kind: str) -> list[Json]:
        """Return the objects of *kind*, the oldest first."""
        return self._kinds[kind]

    def get(self, kind: str, object_id: object, param: str = "id") -> Json:
        """Return the object of *kind* with that id.

        Raises:
            ProviderRefusalError: If there is none.
        """
        found = self.objects.get(str(object_id))
        if found is None or found["object"] != kind:
            raise no_such(kind, str(object_id), param)
        return found

    def tell(self, event_type: str, about: Json, previous: Json | None = None) -> None:
        """Note that something became of an object; webhooks say so, and so does the list."""
        data: Json = {"object": msgspec.Raw(msgspec.json.encode(about))}
        if previous is not None:
            data["previous_attributes"] = previous
        event = self.add(
            "event",
            {
                "api_version": API_VERSION,
                "data": data,
                "pending_webhooks": 1,
                "request": dict(self.request),
                "type": event_type,
            },
        )
        self.unsent.append(event)

    def later(self, wait: timedelta, act: Callable[[], object]) -> None:
        """Have *act* happen once so much time has passed."""
        heapq.heappush(self._later, (self.now() + wait, next(self._numbers), act))

    def pass_time(self, by: timedelta = timedelta(0)) -> None:
        """Let time pass, and have happen what is due by then, each at its moment."""
        until = self._shift + by
        while self._later and self._later[0][0] <= self.clock() + until:
            due, _, act = heapq.heappop(self._later)
            self._shift = max(self._shift, due - self.clock())
            act()
        self._shift = max(self._shift, until)

    def listed(
        self,
        kind: str,
        form: Json,
        filters: Mapping[str, str | frozenset[str]],
        *,
        oldest: int = 0,
    ) -> Json:
        """Return a page of the objects of *kind*, the newest first; none from before *oldest*.

        Source: Stripe API reference, Pagination: limit, starting_after, ending_before.
        """
        limit = integer(form, "limit")
        if limit is not None and not 1 <= limit <= _PAGE_MAX:
            raise invalid(f"Invalid limit: {limit} (1 to {_PAGE_MAX})", param="limit")
        size = limit or _PAGE
        found: list[Json] = []
        for each in self._walk(kind, form, oldest):
            if len(found) > size:
                break
            if all(_is_among(each.get(name), wanted) for name, wanted in filters.items()):
                found.append(each)
        page = found[:size]
        if "ending_before" in form:
            page.reverse()
        return {"object": "list", "data": page, "has_more": len(found) > size}

    def _walk(self, kind: str, form: Json, oldest: int) -> Iterator[Json]:
        """Yield objects from the newest on, or towards it; *form* may bound when they were made."""
        objects = self._kinds[kind]
        bounds = [*_bounds(form), ("gte", oldest)]
        if "ending_before" in form:
            start = self._ranks[self.get(kind, form["ending_before"], "ending_before")["id"]]
            ranks = range(start + 1, len(objects))
        else:
            start = len(objects)
            if "starting_after" in form:
                start = self._ranks[self.get(kind, form["starting_after"], "starting_after")["id"]]
            ranks = range(start - 1, -1, -1)
        oldest = max((bound for name, bound in bounds if name in {"gt", "gte"}), default=0)
        for rank in ranks:
            each = objects[rank]
            if ranks.step < 0 and each["created"] < oldest:
                return
            if all(_BOUNDS[name](each["created"], bound) for name, bound in bounds):
                yield each

    def expanded(self, found: Json, paths: object) -> Json:
        """Return *found* with objects in place of the ids that *paths* name."""
        shown: Any = found
        for path in paths if isinstance(paths, list) else []:
            shown = self._expanded(shown, str(path).split("."), str(path))
        return dict(shown)

    def _expanded(self, value: Any, steps: list[str], path: str) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, str):
            value = self.objects.get(value, value)
        if not steps or value is None:
            return value
        if isinstance(value, list):
            return [self._expanded(each, steps, path) for each in value]
        if not isinstance(value, dict) or steps[0] not in value:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        return value | {steps[0]: self._expanded(value[steps[0]], steps[1:], path)}

    def behaviour(self, method: Json) -> Behaviour:
        """Return how a payment method behaves."""
        return self.behaviours.get(method["id"], PLAIN)


def _is_among(value: object, wanted: str | frozenset[str]) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


def _bounds(form: Json) -> list[tuple[str, int]]:
    created = form.get("created", {})
    if isinstance(created, str):
        second = integer(form, "created") or 0
        return [("gte", second), ("lte", second)]
    if set(created) - set(_BOUNDS):
        raise invalid("Received unknown parameter in created", param="created")
    return [(name, integer(created, name) or 0) for name in created]
