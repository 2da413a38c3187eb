"""What looks wrong in a tariff, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from tariffs.calendar import english

_COUNSEL: Final = "check with counsel"
_WEEK: Final = "{from_day:day? (in the days from *)}"

_ELEMENTS: Final = {
    "told": "{text:told}",
    "told_at": "{spot}: {text:told}",
    "no_unit": "no unit: write {price} {unit:word priced_per}",
    "never_applies": "{label} can never apply: its restrictions exclude each other",
    "shadowed": "{fee:word charged} of {label} is never billed: wherever it could be, "
    "{others:/, } comes first",
    "priced_twice": "{label} prices {dimension:word dimension} twice; only the first is billed",
    "not_for_reservations": "{label} is for reservations: {dimension:word dimension} never counts",
    "free_hours": f"{{fee:word charged}}{{when:?, *,}} is free {{windows}}{_WEEK}",
    "tiny_window": f"{{fee:word charged}} is {{price}} for minutes only, {{windows}}{_WEEK}: "
    "ends are exclusive, write 20:00 and not 19:59",
    "overlaps": "{label} overlaps {other} in part, for example {day:word short_day} at "
    "{clock:clock}; there {fees:word charged/, } of the earlier one counts",
    "wraps": "{days} {hours} means {days} {early} and {days} {late}: after midnight it is the "
    "next day",
    "equal_ends": "{hours} is the whole day here, and nothing at all for some partners",
}
_PRICES: Final = {
    "zero_price": "{fee:word charged} costs 0 here, and hides the prices of later elements",
    "driver_is_paid": "{amount:money}: the driver is paid for {fee:word charged}, which OCPI says "
    "nothing about",
    "surcharge_takes_off": "this surcharge takes off what it is told to add",
    "in_cents": "{amount:money} per kWh: is it meant in cents?",
    "per_minute": "{amount:money} per hour: is it meant per minute?",
    "steps": "step_size {step:number} {unit} bills started steps whole: OCPI advises 1, its "
    "editions differ on how steps count, and OCPI 3.0 has none",
    "flats_together": "{first} has a session fee too: a session that meets both pays both "
    "({label} as well), and OCPI leaves that open",
    "flats_only": "only session fees: CDRs of OCPI need a period, which is sent with free volumes",
    "ends_before_start": "the tariff ends before it starts",
    "never_met": "{bound:number} {unit} is never met by a car: is it meant in {other}?",
    "in_minutes": "{seconds:number} seconds: is it meant in minutes? write 15 min",
    "expiry_only": "a reservation that expires costs, one that is used does not",
    "limits_crossed": "after taxes the least price is above the greatest",
    "limit_after_taxes": "min_price has an amount after taxes, max_price has none",
    "limit_never_decides": "{before:number} and {rate:number} % are {nearest:number} after taxes: "
    "{after:number} never decides",
    "limit_always_decides": "{before:number} and {rate:number} % are {nearest:number} after taxes: "
    "{after:number} decides, {before:number} never",
    "may_pay_out": "a session may cost less than nothing; min_price: 0 keeps it from that",
    "empty_session_pays": "a session of 0 kWh pays the least price as well",
}
_TAXES: Final = {
    "vat_fraction": "a VAT of {percent:number} %: is {meant:number} % meant?",
    "vat_in_part": "no VAT is given here, but elsewhere: none applies, which is not 0 %",
    "vat_nowhere": "no price has a VAT; if no taxes apply here, say tax_included: N/A",
    "taxes_not_charged": "N/A says that no taxes apply: those given are not charged",
    "vat_of_country": "a VAT of {percent:number} %: the standard rate in {country} is {rates:/, } "
    "({source}); a reduced rate, or a change of rate, needs its reason: " + _COUNSEL,
    "standard_rate": "{percent:number} %{since:day? from * on}",
}
_ADJUSTMENTS: Final = {
    "no_grace": "parking costs from the second the vehicle stops asking for power: no grace",
    "no_cap": "at this price a day costs {amount:money}, and nothing caps it",
    "grace_of_nothing": "a grace period, but parking costs nothing anyway",
    "several_graces": "several grace periods: the longest counts, {seconds:duration}",
    "steps_before_free": "steps of {dimension:word dimension} are counted before anything is free; "
    "with before_steps: yes they round up what is left, which is more",
    "grant_on_nothing": "a grant on {dimension:word dimension}, which costs nothing here",
    "grant_of_nothing": "a grant of 0 % changes nothing",
}
_PARTNERS: Final = {
    "unsaid_adjustment": "OCPI has no words for this ({adjustment}): partners see the tariff "
    "without it, and it does not reproduce the totals that they are sent",
    "unsaid_holidays": "OCPI has no holidays: partners see dates, or nothing",
    "unsaid_seasons": "OCPI has no seasons: partners see dates, or nothing",
    "unsaid_series": "OCPI has no price series: partners see the price without it",
    "unsaid_tax": "OCPI has no taxes per kWh: partners see the tariff without {name}",
    "whole_minutes": "OCPI has times of whole minutes: partners see {clock:clock}",
    "fewer_decimals": "{price:number}: OCPI's numbers have {places:number} decimals: partners see "
    "fewer",
    "needs_measuring": "{key} needs measured values in every period; without them partners ignore "
    "it or skip the element",
    "unseen_in_2_1_1": "partners on OCPI 2.1.1 will not see: {parts:word tariff_part/, }",
    "id_too_long": "an id of OCPI has at most {length:number} ASCII characters",
    "type_unknown": "OCPI knows the types {known:/, }; not {kind:quoted}",
    "net_price_rounded": "{price:number} with {percent:number} % inside: partners before OCPI "
    "2.3.0 see a price before taxes, which is rounded here",
}
_LAW: Final = {
    "de_price_per_kwh": "ad hoc charging in Germany must show a price per kWh (PAngV s. 14), and "
    f"prices by time or session alone are held not to be allowed: {_COUNSEL}",
    "de_measured_time": "charging time that is billed in Germany must be measured by calibrated "
    f"means (Eichrecht): {_COUNSEL}",
    "de_signed_values": "the price per kWh can change within a session; what is billed must follow "
    "from signed values (Eichrecht), and a value interpolated at the change is not signed: "
    f"{_COUNSEL}",
    "de_further_fees": "this fee must be shown complete and next to the price per kWh before an ad "
    f"hoc session starts (PAngV s. 14): {_COUNSEL}",
    "us_excise": "some states tax public charging per kWh (Kentucky, Iowa, Utah and Georgia do), "
    f"free energy too; vat cannot say that: {_COUNSEL}",
    "us_unnamed_tax": "taxes are inside the price but not named: an invoice cannot state them "
    f"apart: {_COUNSEL}",
}
SENTENCES: Final = _ELEMENTS | _PRICES | _TAXES | _ADJUSTMENTS | _PARTNERS | _LAW
WORDS: Final = {
    "priced_per.energy": "per kWh",
    "priced_per.flat": "per session",
    "priced_per.time": "per h",
    "tariff_part.min_price": "min_price",
    "tariff_part.max_price": "max_price",
    "tariff_part.vat": "VAT",
    "tariff_part.reservations": "reservations",
    "tariff_part.current": "limits on current",
    "tariff_part.validity": "validity",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES | WORDS)
