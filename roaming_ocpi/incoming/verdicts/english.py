"""What is found at partners' CDRs, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from tariffs.phrases import english

SENTENCES: Final = {
    "cdr_unreadable": "It cannot be read{spot:?, at *}: {why}.",
    "cdr_currency_unknown": "It is in no currency that ISO 4217 has{currency:quoted?: *}.",
    "cdr_currency_differs": "It is in {stated}, its tariff in {wanted}.",
    "cdr_currency_not_sessions": "It is in {stated}, its session was told in {told}.",
    "cdr_net_missing": "It does not say its total before taxes, which is what is owed.",
    "cdr_negative": "Its total is {stated}: only a credit CDR takes something back.",
    "cdr_total_differs": "Its total is {stated}, its tariff gives {ours}; {tolerance} may be"
    " rounding.",
    "cdr_total_rounded": "Its total is {stated}, its tariff gives {ours}"
    "{policies:/ or ?; that is how * does it}.",
    "cdr_policy_differs": "Its total is {stated}, its tariff gives {ours}; by {policies:/ or } it"
    " would be as stated: agree with the partner on one.",
    "cdr_tax_differs": "With taxes its total is {stated}, its tariff gives {ours}.",
    "cdr_part_differs": "Its {field} is {stated}, its tariff gives {ours}.",
    "cdr_volume_differs": "Its {field} is {stated}, its periods add up to {ours}.",
    "cdr_hours_exceed": "It bills more time than passed, at {spot}: {why}.",
    "cdr_periods_odd": "Its periods are not as its times say, at {spot}: {why}.",
    "cdr_tariff_unknown": "The tariff{tariff:quoted? *} was neither published nor sent with it.",
    "cdr_tariff_not_valid": "The tariff {tariff:quoted} does not hold when it began.",
    "cdr_tariff_differs": "The tariff {tariff:quoted} sent with it is not the one published, by"
    " which it is priced.",
    "cdr_not_repriced": "It cannot be priced: {why}.",
    "cdr_zone_unknown": "Its tariff depends on the time of day, and nobody says in which time zone"
    " it was: taken as UTC.",
    "cdr_spans_price_change": "{periods} of its periods go on after the price changes"
    "{first:?, the first at *}; priced by what holds at their start.",
    "cdr_outside_session": "It goes from {starts_at} to {ends_at}, its session"
    " from {session_starts_at}{session_ends_at:? to *}.",
    "cdr_energy_not_sessions": "It has {stated} kWh, its session was told with {told} kWh.",
    "cdr_cost_not_sessions": "Its total is {stated}, its session was told with {told}.",
    "cdr_duplicate": "The session was told before, by CDR {other}.",
    "cdr_overlaps": "The same token charged at the same time by CDR {other}.",
    "cdr_late": "It came {days} days after its end.",
    "cdr_ahead": "It ends {seconds:duration} after it came.",
    "cdr_token_unknown": "Its token is none of ours{token:? (*)}.",
    "cdr_energy_absurd": "{energy} kWh are more than a vehicle takes.",
    "cdr_power_absurd": "{energy} kWh in {seconds:duration} are more than a station gives.",
    "cdr_credit_without_original": "It credits{credits:quoted? *} a CDR that did not come before.",
    "cdr_credit_came_first": "It came before CDR {credits:quoted}, which it takes back, and was"
    " judged again when that came.",
    "cdr_credit_not_negating": "It gives {stated} back, CDR {credits:quoted} was {wanted}.",
    "cdr_credited_before": "CDR {credits:quoted} was credited before, by {other}.",
    "cdr_told_otherwise": "The same id came again with other content; the first holds.",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES)
