"""Flags: everything odd about a session, by name, with its meaning and what it forbids.

A flag never changes a fact. Some forbid that a session is rated without a person: RULES says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple


class Flag(StrEnum):
    """One oddity; RULES holds its meaning."""

    # Frames and their content (raised by the translators)
    MALFORMED_FRAME = "malformed_frame"
    SAID_TWICE = "said_twice"
    VALUE_UNREADABLE = "value_unreadable"
    VALUE_ODD = "value_odd"
    DECIMAL_COMMA = "decimal_comma"
    COMMA_AMBIGUOUS = "comma_ambiguous"
    UNIT_MISSING = "unit_missing"
    UNIT_UNKNOWN = "unit_unknown"
    ENUM_UNKNOWN = "enum_unknown"
    LOCATION_NOT_OUTLET = "location_not_outlet"
    TIME_UNREADABLE = "time_unreadable"
    CONNECTOR_ZERO = "connector_zero"
    PLACE_UNREADABLE = "place_unreadable"
    PLACE_ZERO = "place_zero"
    TRANSACTION_ID_UNKNOWN = "transaction_id_unknown"
    TOKEN_ODD = "token_odd"  # noqa: S105 - the name of a flag, no secret
    TEXT_ODD = "text_odd"
    # Who and what belongs to the session
    START_MISSING = "start_missing"
    STOP_LOST = "stop_lost"
    STOP_NOT_HELD = "stop_not_held"
    UNMATCHED_STOP = "unmatched_stop"
    RESOLVED_BY_CONTEXT = "resolved_by_context"
    FOREIGN_STOP_ATTACHED = "foreign_stop_attached"
    FOREIGN_CONNECTOR = "foreign_connector"
    DUPLICATE_START = "duplicate_start"
    START_TOLD_AGAIN = "start_told_again"
    DUPLICATE_STOP = "duplicate_stop"
    CONFLICTING_STOP = "conflicting_stop"
    STOP_ATTESTED = "stop_attested"
    STOP_TOLD_SINCE = "stop_told_since"
    ID_REUSED = "id_reused"
    ID_AMBIGUOUS = "id_ambiguous"
    ID_SPELT_OTHERWISE = "id_spelt_otherwise"
    DECIDED_BEFORE = "decided_before"
    INTERRUPTED = "interrupted"
    OFFLINE = "offline"
    LATE_ARRIVAL = "late_arrival"
    TOKEN_MISSING = "token_missing"  # noqa: S105 - the name of a flag, no secret
    OTHER_TOKEN_STOPPED = "other_token_stopped"  # noqa: S105 - the name of a flag, no secret
    PLACE_UNKNOWN = "place_unknown"
    SEQ_GAP = "seq_gap"
    SEQ_GAP_CLOSED = "seq_gap_closed"
    SEQ_UNRELIABLE = "seq_unreliable"
    LATE_FACT = "late_fact"
    CORRECTION_WAITS = "correction_waits"
    DISSOLVED = "dissolved"
    DISPUTED = "disputed"
    PRICE_TOLD_DIFFERS = "price_told_differs"
    STARTED_WITHOUT_CREDIT = "started_without_credit"
    # Times
    ZONE_MISSING = "zone_missing"
    TZ_MISLABELLED = "tz_mislabelled"
    CLOCK_UNSYNCED = "clock_unsynced"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    CLOCK_JUMPED = "clock_jumped"
    TIME_IMPOSSIBLE = "time_impossible"
    BOUND_REFUTED = "bound_refuted"
    HOUR_AMBIGUOUS = "hour_ambiguous"
    STOP_BEFORE_START = "stop_before_start"
    PLUG_FREE_BEFORE_STOP = "plug_free_before_stop"
    FREE_PLUG_REFUTED = "free_plug_refuted"
    POWER_LOST = "power_lost"
    LAST_SIGN_UNKNOWN = "last_sign_unknown"
    # Meter
    START_READING_MISSING = "start_reading_missing"
    STOP_READING_MISSING = "stop_reading_missing"
    METER_START_IMPLAUSIBLE = "meter_start_implausible"
    METER_STOP_BELOW_START = "meter_stop_below_start"
    START_READINGS_DIFFER = "start_readings_differ"
    STOP_READINGS_DIFFER = "stop_readings_differ"
    OTHER_READING_REFUTED = "other_reading_refuted"
    METER_STOP_ESTIMATED = "meter_stop_estimated"
    READINGS_ABOVE_STOP = "readings_above_stop"
    REGISTER_SESSION_RELATIVE = "register_session_relative"
    REGISTER_OTHER_FRAME = "register_other_frame"
    READING_DIP_DROPPED = "reading_dip_dropped"
    READING_SPIKE_DROPPED = "reading_spike_dropped"
    READING_NEGATIVE = "reading_negative"
    READINGS_OF_ONE_MOMENT = "readings_of_one_moment"
    METER_ROLLOVER = "meter_rollover"
    METER_RESET = "meter_reset"
    UNIT_SUSPECT = "unit_suspect"
    POWER_UNIT_SUSPECT = "power_unit_suspect"
    UNIT_OVERRIDDEN = "unit_overridden"
    ENERGY_IMPLAUSIBLE = "energy_implausible"
    ENERGY_AGAINST_POWER = "energy_against_power"
    ENERGY_AGAINST_READINGS = "energy_against_readings"
    REGISTER_SHARED = "register_shared"
    REGISTERS_OF_TWO_PLACES = "registers_of_two_places"
    EXPORT_ONLY = "export_only"
    ENERGY_EXPORTED = "energy_exported"
    PHASES_SUMMED = "phases_summed"
    PHASES_INCOMPLETE = "phases_incomplete"
    PHASES_AGAINST_TOTAL = "phases_against_total"
    SINGLE_PHASE_REGISTER = "single_phase_register"
    INTERVALS_SUMMED = "intervals_summed"
    INTERVAL_GAP = "interval_gap"
    POST_STOP_READINGS = "post_stop_readings"
    ZERO_ENERGY = "zero_energy"
    SIGNED_READING_DIFFERS = "signed_reading_differs"
    SIGNED_TIME_DIFFERS = "signed_time_differs"
    SIGNED_METERS_DIFFER = "signed_meters_differ"
    SIGNED_IN_ERROR = "signed_in_error"
    SIGNED_UNREADABLE = "signed_unreadable"
    # What the station says of its terms
    LIMIT_REACHED = "limit_reached"
    LIMIT_EXCEEDED = "limit_exceeded"
    TARIFF_NOT_TAKEN = "tariff_not_taken"
    STATION_COST_FAILED = "station_cost_failed"
    STATION_COST_DIFFERS = "station_cost_differs"
    STATION_PERIOD_DIFFERS = "station_period_differs"
    RESERVATION_NOT_BILLED = "reservation_not_billed"


STOP_IS_GONE: Final = frozenset({Flag.STOP_LOST, Flag.STOP_NOT_HELD})
"""With either a session without end waits for its stop as an ended one for what it lacks."""


class FlagRule(NamedTuple):
    """What a flag means, in words for a finance person, and whether it forbids automatic rating."""

    meaning: str
    blocks: bool = False


_F = Flag
RULES: Final[dict[Flag, FlagRule]] = {
    _F.MALFORMED_FRAME: FlagRule("A frame broke its schema; what could be read was used."),
    _F.SAID_TWICE: FlagRule(
        "A frame says one thing twice, with two values; the last one was read.", True
    ),
    _F.VALUE_UNREADABLE: FlagRule("A value was no finite number and was not used."),
    _F.VALUE_ODD: FlagRule(
        "A value came padded, or as text for a number or the other way; read exactly."
    ),
    _F.DECIMAL_COMMA: FlagRule("A value was written with a decimal comma."),
    _F.COMMA_AMBIGUOUS: FlagRule(
        "A comma in watt-hours may be a decimal comma, as it was read, or group thousands.", True
    ),
    _F.UNIT_MISSING: FlagRule("A reading named no unit; the standard's default holds."),
    _F.UNIT_UNKNOWN: FlagRule("A reading had an unknown unit and was not used."),
    _F.ENUM_UNKNOWN: FlagRule("A frame used a word that the standard does not know."),
    _F.LOCATION_NOT_OUTLET: FlagRule("The only register was measured elsewhere than the outlet."),
    _F.TIME_UNREADABLE: FlagRule("A time could not be read; our time of receipt stands in.", True),
    _F.CONNECTOR_ZERO: FlagRule("Readings of connector 0 (the whole station) were not used."),
    _F.PLACE_UNREADABLE: FlagRule(
        "A frame named an EVSE or connector by a number that none has; it was not used.", True
    ),
    _F.PLACE_ZERO: FlagRule(
        "The session is told of EVSE or connector 0, the whole station; its register may be too.",
        True,
    ),
    _F.TRANSACTION_ID_UNKNOWN: FlagRule("No transaction id of ours is known for this start."),
    _F.TOKEN_ODD: FlagRule("The token came with blanks or longer than the standard allows."),
    _F.TEXT_ODD: FlagRule(
        "A text held a sign that no table can keep; it stands written out there."
    ),
    _F.START_MISSING: FlagRule("The start of the session never arrived.", True),
    _F.STOP_LOST: FlagRule(
        "The stop never arrived: the next session began on this connector.", True
    ),
    _F.STOP_NOT_HELD: FlagRule(
        "The station says that the session is over, and holds no stop of it.", True
    ),
    _F.UNMATCHED_STOP: FlagRule("A stop for a session that we never saw start.", True),
    _F.RESOLVED_BY_CONTEXT: FlagRule(
        "A frame without a valid id was attached by connector, time and meter: one candidate."
    ),
    _F.FOREIGN_STOP_ATTACHED: FlagRule(
        "The stop carries a foreign id; it was attached by time and meter.", True
    ),
    _F.FOREIGN_CONNECTOR: FlagRule("A frame named this session but another connector; not used."),
    _F.DUPLICATE_START: FlagRule(
        "The start came more than once with the same content, dated at most a minute apart."
    ),
    _F.START_TOLD_AGAIN: FlagRule(
        "It has no stop, and the session beside it began with the same token at the same register:"
        " it may be the same start, told again with another time."
    ),
    _F.DUPLICATE_STOP: FlagRule(
        "The stop came more than once: no other register, dated at most a minute apart."
    ),
    _F.CONFLICTING_STOP: FlagRule("Several stops contradict each other; the first holds.", True),
    _F.STOP_ATTESTED: FlagRule(
        "A person, not the station, said when it ended and what its register showed.", True
    ),
    _F.STOP_TOLD_SINCE: FlagRule(
        "The station told another stop after a person had said when it ended; the station's holds.",
        True,
    ),
    _F.ID_REUSED: FlagRule("The station used one transaction id for several sessions."),
    _F.ID_AMBIGUOUS: FlagRule(
        "Frames under this id may be of several sessions, and whose they are cannot be told.", True
    ),
    _F.ID_SPELT_OTHERWISE: FlagRule(
        "Another session of its station has this transaction id in other letters: by the standard"
        " they are one."
    ),
    _F.DECIDED_BEFORE: FlagRule(
        "What was decided about another session of this id covers this time at this place.", True
    ),
    _F.INTERRUPTED: FlagRule("The station restarted during the session."),
    _F.OFFLINE: FlagRule("The station was offline for a part of the session."),
    _F.LATE_ARRIVAL: FlagRule("A frame arrived long after what it tells."),
    _F.TOKEN_MISSING: FlagRule("No token was given for the session."),
    _F.OTHER_TOKEN_STOPPED: FlagRule("Another token stopped the session; the starter pays."),
    _F.PLACE_UNKNOWN: FlagRule("No frame named the EVSE or connector."),
    _F.SEQ_GAP: FlagRule("Sequence numbers are missing; messages may still come.", True),
    _F.SEQ_GAP_CLOSED: FlagRule("Sequence numbers are missing; the station holds no more."),
    _F.SEQ_UNRELIABLE: FlagRule("The station's sequence numbers repeat and prove nothing."),
    _F.LATE_FACT: FlagRule(
        "A frame arrived after the final decision; what it changes of the price is corrected."
    ),
    _F.CORRECTION_WAITS: FlagRule(
        "Late frames would change what was billed, and a person must agree."
    ),
    _F.DISSOLVED: FlagRule(
        "By frames that came after its price there is no such session; nothing of it is billed."
    ),
    _F.DISPUTED: FlagRule("Its payer contests what was billed; nobody decided about that yet."),
    _F.STARTED_WITHOUT_CREDIT: FlagRule(
        "Its customer pays in advance, and nothing was left when it started; it is owed."
    ),
    _F.PRICE_TOLD_DIFFERS: FlagRule(
        "After its end its station was told another price than it was rated at; the rating stands."
    ),
    _F.ZONE_MISSING: FlagRule("Times came without a zone; the site's zone was used."),
    _F.TZ_MISLABELLED: FlagRule("Local time was labelled UTC; live frames show the offset."),
    _F.CLOCK_UNSYNCED: FlagRule("The station's clock was not set; times are derived.", True),
    _F.CLOCK_AHEAD: FlagRule("The station's clock runs ahead of ours; times are derived.", True),
    _F.CLOCK_BEHIND: FlagRule("The station's clock runs behind ours; times are derived.", True),
    _F.CLOCK_JUMPED: FlagRule("The station's clock was set during the session.", True),
    _F.TIME_IMPOSSIBLE: FlagRule(
        "A time lay after its receipt, against the others; it is when we heard of it."
    ),
    _F.BOUND_REFUTED: FlagRule(
        "The start or stop is dated after its receipt, against the other times.", True
    ),
    _F.HOUR_AMBIGUOUS: FlagRule(
        "A time without a zone lies in the hour that clocks pass twice, or leave out.", True
    ),
    _F.PLUG_FREE_BEFORE_STOP: FlagRule(
        "The plug was reported free before the stop; the vehicle was gone from then on."
    ),
    _F.FREE_PLUG_REFUTED: FlagRule("The plug was reported free, but energy still flowed then."),
    _F.POWER_LOST: FlagRule(
        "The stop is dated when the station came back; nothing was heard of the vehicle before it."
    ),
    _F.LAST_SIGN_UNKNOWN: FlagRule(
        "The station lost its power, and nothing says how long the vehicle charged.", True
    ),
    _F.STOP_BEFORE_START: FlagRule("The stop lies before the start; duration 0.", True),
    _F.START_READING_MISSING: FlagRule("No register reading at the start.", True),
    _F.STOP_READING_MISSING: FlagRule("No register reading at the stop.", True),
    _F.METER_START_IMPLAUSIBLE: FlagRule(
        "The register at the start contradicts the readings after it.", True
    ),
    _F.METER_STOP_BELOW_START: FlagRule("The register at the stop is below the start."),
    _F.START_READINGS_DIFFER: FlagRule("Two readings at the start contradict each other.", True),
    _F.STOP_READINGS_DIFFER: FlagRule("Two readings at the stop contradict each other.", True),
    _F.OTHER_READING_REFUTED: FlagRule(
        "Of two readings at the start or stop the other readings refute one; it was not used."
    ),
    _F.METER_STOP_ESTIMATED: FlagRule("The last good reading stands in for the stop.", True),
    _F.READINGS_ABOVE_STOP: FlagRule("Readings before the stop are above it.", True),
    _F.REGISTER_SESSION_RELATIVE: FlagRule("Readings count from the session's start."),
    _F.REGISTER_OTHER_FRAME: FlagRule("Readings fit neither the register nor the session."),
    _F.READING_DIP_DROPPED: FlagRule("A reading fell below its neighbours and was not used."),
    _F.READING_SPIKE_DROPPED: FlagRule("A reading jumped beyond what is possible; not used."),
    _F.READING_NEGATIVE: FlagRule("A negative register reading was not used."),
    _F.READINGS_OF_ONE_MOMENT: FlagRule(
        "Two readings of one moment contradict each other; the lower one was used.", True
    ),
    _F.METER_ROLLOVER: FlagRule("The register passed its last digit and began again at 0."),
    _F.METER_RESET: FlagRule("The register was reset or the meter changed.", True),
    _F.UNIT_SUSPECT: FlagRule("Energy and power differ by a factor of 1000: unit wrong?", True),
    _F.POWER_UNIT_SUSPECT: FlagRule("Power is a factor of 1000 below the energy: unit wrong?"),
    _F.UNIT_OVERRIDDEN: FlagRule("The declared correction of the station's unit was applied."),
    _F.ENERGY_IMPLAUSIBLE: FlagRule("More energy than the connector can deliver.", True),
    _F.ENERGY_AGAINST_POWER: FlagRule(
        "Energy and measured power differ by more than five times.", True
    ),
    _F.ENERGY_AGAINST_READINGS: FlagRule(
        "Intervals, or another register, show more than three times the energy of the register.",
        True,
    ),
    _F.REGISTER_SHARED: FlagRule(
        "Another session at this place has a part of the same register, or an earlier part of it at"
        " a later time.",
        True,
    ),
    _F.REGISTERS_OF_TWO_PLACES: FlagRule(
        "The start's register and the stop's were measured at two places: outlet and elsewhere.",
        True,
    ),
    _F.EXPORT_ONLY: FlagRule(
        "Only energy that the vehicle gave back was measured; none is billed.", True
    ),
    _F.ENERGY_EXPORTED: FlagRule(
        "The vehicle gave energy back; it is told apart and lowers nothing that is billed."
    ),
    _F.PHASES_SUMMED: FlagRule("The register came by phase; all phases were summed."),
    _F.PHASES_INCOMPLETE: FlagRule("Some instants lacked a phase and were not used."),
    _F.PHASES_AGAINST_TOTAL: FlagRule(
        "The registers of the phases rose otherwise than the total beside them, which was used, or"
        " stand for it at the start or the stop alone.",
        True,
    ),
    _F.SINGLE_PHASE_REGISTER: FlagRule("Only one phase has a register; it is the total."),
    _F.INTERVALS_SUMMED: FlagRule("Energy came by interval; the intervals were summed."),
    _F.INTERVAL_GAP: FlagRule(
        "An interval of the energy series is missing, or the last one may be the sum of all.", True
    ),
    _F.POST_STOP_READINGS: FlagRule("Readings after the stop exist; they change nothing."),
    _F.ZERO_ENERGY: FlagRule("The session drew no energy."),
    _F.SIGNED_READING_DIFFERS: FlagRule(
        "The meter signed another register than was told; the signed one is the legal one.", True
    ),
    _F.SIGNED_TIME_DIFFERS: FlagRule(
        "What the meter signed is dated outside of the session, or ends before it begins.", True
    ),
    _F.SIGNED_METERS_DIFFER: FlagRule("Two meters signed what was told of the session.", True),
    _F.SIGNED_IN_ERROR: FlagRule("The meter signed that a reading of it does not hold.", True),
    _F.SIGNED_UNREADABLE: FlagRule(
        "Signed data was cut off or broken; what was told plainly was held against nothing."
    ),
    _F.LIMIT_REACHED: FlagRule("A limit on cost, energy, time or state of charge was reached."),
    _F.LIMIT_EXCEEDED: FlagRule("It went further than the limit that its driver chose."),
    _F.TARIFF_NOT_TAKEN: FlagRule("The station did not take the tariff that it was sent."),
    _F.STATION_COST_FAILED: FlagRule("The station could not reckon what the session costs."),
    # Raised by the rating, which says both figures.
    _F.STATION_COST_DIFFERS: FlagRule("The station reckons another cost than our price."),
    _F.STATION_PERIOD_DIFFERS: FlagRule("The station reckons a period by other figures than we."),
    _F.RESERVATION_NOT_BILLED: FlagRule(
        "Its start names a reservation, and its tariff has a price for one, which is not billed."
    ),
}


def blockers_of(flags: Iterable[str]) -> tuple[str, ...]:
    """Return those of *flags* that forbid automatic rating, sorted. An unknown flag blocks."""
    return tuple(sorted(flag for flag in set(flags) if _blocks(flag)))


def meaning_of(flag: str) -> str:
    """Return what *flag* means, as a sentence."""
    return RULES[Flag(flag)].meaning if flag in RULES else "Unknown flag."


def _blocks(flag: str) -> bool:
    return flag not in RULES or RULES[Flag(flag)].blocks
