"""Mutants that change nothing that anybody could see, each with the reason."""

from __future__ import annotations

from typing import Final

_IS_SETTLED: Final = "A short cut: what it does not settle is worked out, to the same."
_STATION_CLOCK: Final = {
    "effective: at < self.commissioned_on -> at <= self.commissioned_on": _IS_SETTLED,
    "effective: at > received_at -> at >= received_at": _IS_SETTLED,
    "_offset: _ZERO -> _ZERO + 1": "A second is within the bound as none is.",
    "_offset: -SKEW_MAX <= least <= SKEW_MAX -> -SKEW_MAX <= least < SKEW_MAX": _IS_SETTLED,
    "_offset: -SKEW_MAX <= least <= SKEW_MAX -> -SKEW_MAX < least <= SKEW_MAX": _IS_SETTLED,
    "_offset: least > SKEW_MAX -> least >= SKEW_MAX": "What is at the bound was settled before.",
    "_moved: by > _ZERO -> by >= _ZERO": "Nothing that is moved by no time leaves the calendar.",
}
_CHECKS: Final = {
    "_is_deliverable: counted[-1].energy_wh <= limit.slack_wh -> "
    "counted[-1].energy_wh < limit.slack_wh": _IS_SETTLED,
    "_is_deliverable: 0 -> 1 (2)": "The first one is looked at first, and lowers it to itself.",
    "_is_against: begins <= until -> begins < until": "From a reading to itself nothing rose.",
    "_is_against: flowed_wh * _TIMES -> flowed_wh / _TIMES": _IS_SETTLED,
    "_is_against: low <= flowed_wh * _TIMES -> low < flowed_wh * _TIMES": _IS_SETTLED,
    "_is_against: high * _TIMES -> high / _TIMES": _IS_SETTLED,
    "_is_against: high * _TIMES >= flowed_wh -> high * _TIMES > flowed_wh": _IS_SETTLED,
    "_is_against: _ZERO -> _ZERO + 1 (2)": _IS_SETTLED,
    "_is_beyond_steady: max(map(sub, energies[1:], energies), default=_ZERO) <= steady.slack_wh -> "
    "max(map(sub, energies[1:], energies), default=_ZERO) < steady.slack_wh": _IS_SETTLED,
    "_is_against: _lowest(powers) >= _ZERO -> _lowest(powers) > _ZERO": _IS_SETTLED,
    "_is_against: _ZERO -> _ZERO + 1": (
        "Less the tolerance, which is 10 Wh or more, one Wh is as far below any power as none."
    ),
}
_ANCHORS: Final = {
    "choose_start.rank: 2 -> 3": "The highest rank stays the highest.",
    "choose_stop.rank: 2 -> 3": "The highest rank stays the highest.",
}
_EVIDENCE: Final = {
    "add: taken_at is not told_at and taken_at != told_at -> "
    "taken_at is not told_at or taken_at != told_at": "What is equal leads to the same.",
}
_MEASURE: Final = {
    "_framed: start.value_wh <= min(values) -> start.value_wh < min(values)": _IS_SETTLED,
    "_framed: top + _NOISE_WH -> top - _NOISE_WH": _IS_SETTLED,
    "_framed: max(values) <= top + _NOISE_WH -> max(values) < top + _NOISE_WH": _IS_SETTLED,
}
_SERIES: Final = {
    "accumulate: current.value_wh >= previous.value_wh -> "
    "current.value_wh > previous.value_wh": "What did not rise fell by nothing.",
    "steady_wh: seconds > 0 -> seconds >= 0": "In no time nothing flows.",
}
_DOCUMENT: Final = {
    "_tax_totals: True -> False": "What has no rate has one tax, a rate as many as its parts.",
}
_DOCUMENT_TAXES: Final = {
    "order: 1 -> 2": "Anything below 0 % comes before every rate.",
}
_DECISIONS_STORE: Final = {
    "_take_from_queue: each.revision > FIRST_REVISION -> each.revision >= FIRST_REVISION": (
        "No revision is earlier than the first."
    ),
}
_INVOICER: Final = {
    "waiting_since: (position := reached.get(partition, 0)) < end -> "
    "(position := reached.get(partition, 0)) <= end": "At its end a log has no record to read.",
}
_PASSWORDS: Final = {
    "is_random_key: 16 -> 17": "One hex digit is worth the same to the base of 17.",
    "is_random_key: 1 -> 2": "What is itself one digit on has one digit only: it is weak already.",
    "is_random_key: 1 -> 2 (2)": "What is itself one digit back has one digit only.",
}

_BREAKDOWN: Final = {
    "tax_breakdown: True -> False": "The sum is shared out among the taxes: one share for each.",
}
_TAXES: Final = {
    "factors_of: 0 -> 1": "A spare decimal widens the denominator and changes no amount.",
    "factors_of: 0 -> 1 (2)": "A spare decimal widens the denominator and changes no amount.",
}
_QUANTITY_TAXES: Final = {
    "add_quantity_tax: 0 -> 1 (2)": "Steps are over when this line is added.",
    "add_quantity_tax: 0 -> 1 (3)": "Its amount is given: no factor is asked for.",
    "add_quantity_tax: 0 -> 1 (4)": "Its amount is given: no factor is asked for.",
    "reverse_charge: 0 -> 1 (2)": "The amounts are made by then: no factor is asked for.",
}
_TAXED_SUM: Final = {
    "taxed_sum: _after(net, taxes) > due -> _after(net, taxes) >= due": (
        "The next loop comes up again."
    ),
    "taxed_sum: 1 -> 2": "The next loop comes up again.",
    "taxed_sum: _after(net + 1, taxes) <= due -> _after(net + 1, taxes) < due": (
        "Of both nets that are compared, the upper one is exact then."
    ),
}
_BASIS: Final = {
    "__eq__: isinstance(other, CompiledKey) and self.version.sha256 == other.version.sha256 -> "
    "isinstance(other, CompiledKey) or self.version.sha256 == other.version.sha256": (
        "A dictionary compares keys of the same hash alone, and that is the sha256's."
    ),
}
_DECISIONS: Final = {
    "kind_of: assert_never(decision) -> nothing": "No decision is of another type.",
}
_RATER: Final = {
    "_policy_at: 0 -> 1": "What is asked for again is looked up again.",
}
_PARTITION: Final = {
    "_recall: continue -> nothing": "What is in mind lacks at no date.",
    "_prepare: self._judge.recollection.prefetch(self._memories, "
    "{station_id: facts[station_id] for station_id in judged}, since) -> nothing": (
        "What is not read at once is read one by one."
    ),
}
_WORKER: Final = {
    "resting: True -> False": "Each partition has its pause.",
    "_open.record_at: 1 -> 2": "The first of what is read is taken.",
}
_FACT_SHELF: Final = {
    "fetch: True -> False": "Each key has both its parts.",
    "fetch: True -> False (2)": "As text it is the same, in more time.",
}
_LIVE_FOLD: Final = {
    "__init__: 1 -> 2": "Any number below 0 says so.",
    "_stretch: 1 -> 2": "Any number below 0 says so.",
    "__init__: 0 -> 1": "It is set before it is read.",
    "settle: until <= held.facts_from -> until < held.facts_from": (
        "Nothing is let go of, and the part is the same."
    ),
    "_stretch: extent.told_from > held.told_from -> extent.told_from >= held.told_from": (
        "Nothing that is held is dated before."
    ),
}
_STATION_MEMORY: Final = {
    "extents: continue -> nothing": "What follows comes to the same, in more time.",
    "_settle_transaction: len(rows) > 1 -> len(rows) >= 1": (
        "One row shares its start with none, and what is at rest is found in more time."
    ),
    "_settle_transaction: lacking < len(rows) -> lacking <= len(rows)": (
        "No row is found among none."
    ),
}
_SESSION_STORE: Final = {
    "load_since: True -> False": "Each key has both its parts.",
}
_SESSION_ROWS: Final = {
    "read_on: risen > 0 -> risen >= 0": "Nothing is added where nothing rose.",
}
_ENTRIES: Final = {
    "_say: 0 -> 1": "No version is below 1.",
}

_CONNECTION_EPOCHS: Final = {
    "_advance: True -> False": "Each pair of what was counted has both its parts.",
}
_SERVER: Final = {
    "_listen: BACKLOG -> BACKLOG + 1": "It is a wish: the kernel cuts it to its own bound.",
    "_enter: before.epoch > connection.epoch -> before.epoch >= connection.epoch": (
        "No two connections of a station have one number."
    ),
}

_ACTIVITY: Final = {
    "with_power: spans[0].starts_at < at < ended_at -> spans[0].starts_at <= at < ended_at": (
        "The start is a cut already."
    ),
    "with_power: spans[0].starts_at < at < ended_at -> spans[0].starts_at < at <= ended_at": (
        "The end is a cut already."
    ),
    "with_power: spans[0].starts_at < power.at < ended_at -> "
    "spans[0].starts_at <= power.at < ended_at": "The start is a cut already.",
    "with_power: spans[0].starts_at < power.at < ended_at -> "
    "spans[0].starts_at < power.at <= ended_at": "The end is a cut already.",
}
_BILLED_TIME: Final = {
    "_until: points[-1].at <= ends_at -> points[-1].at < ends_at": (
        "The last one, put where it lies already, is the same."
    ),
}
_LAST_SIGN: Final = {
    "last_sign_of: started_at <= at <= ended_at -> started_at < at <= ended_at": (
        "Without any state it was there from the start, and free only after it."
    ),
    "last_sign_of: started_at <= at < ended_at -> started_at < at < ended_at": (
        "Without any sign the start is the last one."
    ),
    "_is_refuted: 0 < index < len(counted) -> 0 <= index < len(counted)": (
        "What is counted begins at the start, and a plug is free only after it."
    ),
    "provisional_end: 1 -> 2": "What was counted before the last was read before it.",
}
_RUN: Final = {
    "take: len(pool) > 1 -> len(pool) >= 1": "Of one alone there is none to choose.",
    "_second: 0 -> 1": "Of a second all moments are the same then, too.",
}
_LOOKED_AT_ONLY: Final = "More is looked at, and the same is found."
_SAME_IN_PARTS: Final = "Two stretches that are looked at in one, or apart, say the same."
_STAGES: Final = {
    "speak: settled is not None -> settled is None": "No window says what came before it.",
    "_openings: len(starts) <= 1 -> len(starts) < 1": _LOOKED_AT_ONLY,
    "relaid: 1 -> 2": _LOOKED_AT_ONLY,
    "relaid: 1 -> 2 (2)": _LOOKED_AT_ONLY,
    "_changed_runs: index > last + 2 * REACH -> index >= last + 2 * REACH": _SAME_IN_PARTS,
    "_changed_runs: 2 -> 3": _SAME_IN_PARTS,
    "_changed_runs: REACH -> REACH + 1": _SAME_IN_PARTS,
    "overlaps_near: REACH -> REACH + 1": _LOOKED_AT_ONLY,
    "overlaps_near: REACH -> REACH + 1 (2)": _LOOKED_AT_ONLY,
    "overlaps_near: REACH -> REACH + 1 (3)": _LOOKED_AT_ONLY,
    "overlaps_near: REACH -> REACH + 1 (4)": _LOOKED_AT_ONLY,
    "overlaps_near: 1 -> 2": _LOOKED_AT_ONLY,
    "_fitting: heappush(closing, (until, key)) -> nothing": (
        "Whether it fits is asked of all that are looked at."
    ),
    "_fitting: 2 -> 3": "Three are several as two are.",
}
_SESSION_FOLD: Final = {
    "_timed: True -> False": "Each fact has its time.",
    "_vehicle: 1 -> 2": "What was counted before the last was read before it.",
    "_vehicle: len(believed) < len(changes) -> len(believed) <= len(changes)": (
        "Where all is believed the same comes of it."
    ),
}
_SESSION: Final = {
    "points_of: continue -> nothing": "Nothing follows it in its loop.",
}

_GUESSES: Final = {
    "add: _DOUBLINGS_MAX -> _DOUBLINGS_MAX + 1": "Five doublings are over the longest hold.",
}

EQUIVALENT: Final[dict[str, str]] = {
    f"{module}:{change}": reason
    for module, changes in {
        "ingest.edge.connection_epochs": _CONNECTION_EPOCHS,
        "ingest.edge.guesses": _GUESSES,
        "ingest.edge.server": _SERVER,
        "ledger.books.decisions_store": _DECISIONS_STORE,
        "ledger.books.document_taxes": _DOCUMENT_TAXES,
        "ledger.declared.passwords": _PASSWORDS,
        "ledger.facts.station_clock": _STATION_CLOCK,
        "ledger.invoices.document": _DOCUMENT,
        "ledger.invoices.invoicer": _INVOICER,
        "ledger.meter.anchors": _ANCHORS,
        "ledger.meter.checks": _CHECKS,
        "ledger.meter.evidence": _EVIDENCE,
        "ledger.meter.measure": _MEASURE,
        "ledger.meter.series": _SERIES,
        "ledger.rating.basis": _BASIS,
        "ledger.rating.decisions": _DECISIONS,
        "ledger.sessions.reuse.run": _RUN,
        "ledger.sessions.session": _SESSION,
        "ledger.sessions.session_fold": _SESSION_FOLD,
        "ledger.sessions.stages": _STAGES,
        "ledger.sessions.vehicle.activity": _ACTIVITY,
        "ledger.sessions.vehicle.billed_time": _BILLED_TIME,
        "ledger.sessions.vehicle.last_sign": _LAST_SIGN,
        "ledger.worker.entries": _ENTRIES,
        "ledger.worker.fact_shelf": _FACT_SHELF,
        "ledger.worker.live_fold": _LIVE_FOLD,
        "ledger.worker.partition": _PARTITION,
        "ledger.worker.rater": _RATER,
        "ledger.worker.session_rows": _SESSION_ROWS,
        "ledger.worker.stored.session_store": _SESSION_STORE,
        "ledger.worker.station_memory": _STATION_MEMORY,
        "ledger.worker.worker": _WORKER,
        "tariffs.taxes.breakdown": _BREAKDOWN,
        "tariffs.taxes.quantity_taxes": _QUANTITY_TAXES,
        "tariffs.taxes.taxed_sum": _TAXED_SUM,
        "tariffs.taxes.taxes": _TAXES,
    }.items()
    for change, reason in changes.items()
}
"""By `Mutant.key`."""
