"""Why sessions wait or are held, in English: the one place of the ledger's sentences.

A flag that forbids rating is a code, too, and its meaning what it says.
"""

from __future__ import annotations

from typing import Final

from ledger.facts.flags import RULES, Flag
from ledger.rating.decisions import RatedLine
from tariffs.phrases import english

SENTENCES: Final = {
    **{flag.value: rule.meaning for flag, rule in RULES.items() if rule.blocks},
    "stop_lost": "The stop never arrived{shown_by:word lost_stop}.",
    "start_unknown": RULES[Flag.START_MISSING].meaning,
    "energy_unknown": "No energy is known to price.",
    "token_missing": "No token was given: nobody is known to pay.",
    "token_unknown": "The token {token} was not declared at the start.",
    "token_blocked": "The token {token} was blocked at the start.",
    "token_expired": "The token {token} had expired at the start.",
    "token_master_pass": "The token {token} is a master pass, which starts no session.",
    "token_elsewhere": "The token {token} may not charge at this site.",
    "token_untimely": "The token {token} may not charge at this hour.",
    "token_unasked": "The partner {partner} wants to be asked about the token {token} each time.",
    "customer_unknown": "Customer {customer} was not declared at the start.",
    "station_undeclared": "Station {station} was not declared.",
    "site_undeclared": "Site {site} or its legal entity was not declared.",
    "tariff_missing": "No tariff was in force at the start.",
    "currency_mismatch": "The tariff is in {tariff_in}, the site in {site_in}.",
    "pricing_refused": "The session could not be priced: {why}.",
    "rating_inconsistent": "{session}: {what}",
    "billed_twice": "a component is billed twice",
    "net_not_of_lines": "the net total is not that of its lines",
    "tax_not_of_lines": "the tax is not that of its lines",
    "amount_absurd": "an amount of it is more than anything costs",
    "rating_incomplete": "{session} lacks its start, end, energy or token",
    "session_too_long": "It lasted {days} days, longer than the policy believes (max_session_s).",
    "told_too_late": "Its time is {days} days before it was told (max_delay_s).",
    "time_ends_by_policy": "Time is billed by the policy time_ends: {time_ends:word time_ends}.",
    "charging_by_policy": "More than {idle_power_w:number} W flowed: charging, by idle_power_w.",
    "price_told_differs": "Its station was told {told} after its end, it is rated at {rated}.",
    "limit_exceeded": "It was to go no further than {limit}, and came to {reached}.",
    "station_cost_differs": "The station reckons {station}, our price is {ours}, {basis}"
    "{tariff:quoted?; its tariff is *}.",
    "station_period_differs": "From {starts_at} the station counts {station}, we count {ours}.",
    "station_periods_more": "{count} more figures of the station's periods differ from ours.",
    "with_taxes": "with taxes",
    "before_taxes": "before taxes",
    "correction_waits": "Late frames change its price, and a person must agree{why:quoted?; *}.",
    "attested_by": "Its end is by the word of {by}{kwh:number?, with a register of * kWh}: {why}.",
    "disputed": "Its payer contests what was billed.",
    "given_back_by_person": "given back: a person said so",
    "release_taken_back": "not billed: its release was taken back",
    "session_dissolved": "not billed: by late frames there is no such session",
    "passed_on": "the price of the station's operator, {net:money} before taxes"
    "{percent:number?, with our fee of * %}",
    "partner_undeclared": "The partner {partner} was not declared at the start.",
    "retail_tariff_missing": "No version of the retail tariff {tariff} was in force at the start.",
    "cdr_energy_unclear": "The CDR's total of {stated} kWh is not what its periods add up to.",
    "cdr_times_mixed": "A period of the CDR both charged and parked, and time costs money.",
    "cdr_price_unknown": "The CDR states no total before taxes that could be passed on.",
    "passed_on_vat_missing": "No VAT is declared for what is passed on from there"
    "{country:? (passed_on_vat: *)}.",
    "place_zone_unknown": "Its price hangs on the time of day, and where it was nobody says.",
    "place_country_unknown": "The CDR does not say in which country it was: its VAT is unknown.",
    "bills_otherwise": "not billed: the partner's CDR does not hold",
    "rating_failed": "Rating it failed: {error}: {message}",
}
WORDS: Final = {
    "lost_stop.next_session": ": the next session began on this connector",
    "time_ends.last_sign": "last_sign",
    "time_ends.stop": "stop",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES | WORDS)


def line_words(line: RatedLine, currency: str) -> str:
    """Return why *line* stands where it stands."""
    return ENGLISH.joined(line.reasons, line.context(currency))


def line_label(line: RatedLine, currency: str) -> str | None:
    """Return what lowered or raised a fee, as it stands on a bill beside it; None for a price."""
    return ENGLISH.label(line.reasons[0], line.context(currency)) if line.reasons else None
