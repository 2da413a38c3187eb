"""What tariffs, prices and adjustments say, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from tariffs.phrases.wording import Wording

_WHEN: Final = {
    "reservation": "for a reservation",
    "reservation_expires": "for a reservation that expired",
    "booking": "for a booking",
    "booking_expires": "for a booking that expired",
    "booking_cancellation_fees": "for a booking that was cancelled",
    "booking_overtime": "for the time after a booking",
    "days": "{days:word day/, }",
    "days_from_to": "{first:word day} to {last:word day}",
    "holidays": "public holidays",
    "days_and_holidays": "{days} and public holidays",
    "season": "every year from {start:month_day} before {end:month_day}",
    "clock": "{start:clock} to {end:clock}",
    "from_date": "from {date:day}",
    "before_date": "before {date:day}",
    "from_amount": "from {amount:number} {unit}",
    "below_amount": "below {amount:number} {unit}",
    "after": "after {seconds:duration}",
    "in_the_first": "in the first {seconds:duration}",
}
_LINES: Final = {
    "element": "element {element:ordinal}{name:? (*)} for {dimension:word dimension}",
    "priced": "element {element:ordinal}{name:? (*)}, the first for {dimension:word dimension} "
    "here, without restrictions",
    "priced_when": "element {element:ordinal}{name:? (*)}, the first for "
    "{dimension:word dimension} whose restrictions hold: {when:/, }",
    "unpriced": "no element of the tariff prices {dimension:word dimension} here, so it is free",
    "grace": "within the grace after charging{because:?: *}",
    "series": "{series} {price:number}{percent:number? + * %}{markup:number? + *}"
    "{floor:number?, at least *}{cap:number?, at most *}{own:number?, plus *}",
    "step_of_energy": "step size adds {wh:number} Wh",
    "step_of_time": "step size adds {seconds:number} s",
    "min_price": "the tariff's least price for a session",
    "max_price": "the tariff's most for a session",
    "cash": "rounded to what can be paid in cash",
}
_ADJUSTMENTS: Final = {
    "tax": "{name}: {per_kwh:money} per kWh, free or not{vat:number?, and * % of tax on it}",
    "group": "{percent:share} for members of the group {group:quoted}"
    "{kwh_max:number?, up to * kWh a session}{minutes_max:number?, up to * min a session}"
    "{because:?: *}",
    "validation": "{percent:share} validated with {validation:quoted}"
    "{kwh_max:number?, up to * kWh a session}{minutes_max:number?, up to * min a session}"
    "{because:?: *}",
    "free_first": "the first {sizes:/ or } of {dimensions:word dimension/ and } are free"
    "{before_steps:?, and steps count what is left}"
    "{because:?: *}",
    "free_below": "a session of less than {sizes:/ or of less than } costs nothing{because:?: *}",
    "round_down": "only whole steps of {step} of {dimensions:word dimension/ and } are charged"
    "{because:?: *}",
    "cap": "{dimensions:costs} at most {amount:money} {per:word period}{because:?: *}",
    "cap_a_night": "{dimensions:costs} at most {amount:money} a night "
    "from {start:clock} to {end:clock}{because:?: *}",
    "at_least": "{dimensions:costs} at least {amount:money}, as something of it is due"
    "{because:?: *}",
    "surcharge": "a surcharge of {parts:/ and }{methods:quoted/ or ? for payment by *}"
    "{because:?: *}",
    "percent_on": "{percent:number} % on {dimensions:word dimension/ and }",
    "amount": "{amount:money}",
    "kwh": "{kwh:number} kWh",
    "wh": "{wh:number} Wh",
    "minutes": "{minutes:number} min",
    "duration": "{seconds:duration}",
}
_SHARED: Final = {
    "allowance": "{percent:share} for the first {sizes:/ and } {per:word period} "
    "{shared_by:word sharing}{members:quoted?, for members of the group *}{because:?: *}",
    "period_cap": "{dimensions:word dimension/ and } costs at most {amount:money} "
    "{per:word period} {shared_by:word sharing}{because:?: *}",
    "period_cap_a_night": "{dimensions:word dimension/ and } costs at most {amount:money} "
    "a night from {start:clock} to {end:clock} {shared_by:word sharing}{because:?: *}",
    "coupon": "{percent:share} with the coupon {coupon:quoted}{sizes:/ and ?, up to * a session}, "
    "{uses_max:times} {per:word period} {shared_by:word sharing}{because:?: *}",
    "allowance_used": "{sizes:/ and } used before{period:period? in *}",
    "cap_used": "{amount:money} paid before{period:period? in *}",
    "coupon_used": "used {uses:times} before{period:period? in *}",
}
_NOTES: Final = {
    "restriction_without_data": "{policy:word no_data}",
    "tariff_chooses": "the tariff itself chooses {choices:/, }",
    "several_flats": "{count:number} session fees became active, each is billed once; "
    "OCPI leaves open whether more than the first is",
    "parked_then_charged": "it parked before it charged: only the parking time is rounded to its "
    "step; the text of OCPI can be read so that what came last is",
    "prices_exchanged": "the session ends in free time: as the example of v2.2.1-d2 prints it, "
    "charging bears the price of parking and parking that of charging; later editions correct this",
    "no_taxes_apply": "tax_included is N/A: no taxes apply, whatever the tariff states",
    "reverse_charge": "reverse charge: the customer, VAT id {vat_id}, owes the VAT",
    "unknown_holidays": "the tariff does not know the holidays of {year}: none was assumed",
}
REFUSALS: Final = {
    "unusable_usage": "the session from {starts_at} cannot be priced: {why}",
    "end_before_start": "its end lies before its start or years after it",
    "beyond_calendar": "it lies in no year to reckon with",
    "readings_backwards": "its readings run backwards at {at}",
    "reading_no_energy": "a reading of it is no energy",
    "energy_absurd": "it has an energy of {wh} Wh",
    "readings_incomplete": "its readings do not begin with 0 and end with the session",
    "spans_backwards": "its spans run backwards at {at}",
    "reservation_after_charging": "a reservation cannot follow charging",
    "price_missing": "tariff {tariff:quoted}: {series} has no price for {at} UTC",
    "unknown_zone": "there is no time zone {zone:quoted}",
}
WORDS: Final = {
    "dimension.FLAT": "the session fee",
    "dimension.ENERGY": "energy",
    "dimension.TIME": "charging time",
    "dimension.PARKING_TIME": "parking time",
    "dimension.RESERVATION_TIME": "reservation time",
    "dimension.SESSION": "the session",
    "day.MONDAY": "Monday",
    "day.TUESDAY": "Tuesday",
    "day.WEDNESDAY": "Wednesday",
    "day.THURSDAY": "Thursday",
    "day.FRIDAY": "Friday",
    "day.SATURDAY": "Saturday",
    "day.SUNDAY": "Sunday",
    "period.session": "a session",
    "period.day": "a day",
    "period.night": "a night",
    "period.month": "a month",
    "period.ever": "in all",
    "sharing.token": "for a token",
    "sharing.customer": "for a customer's sessions together",
    "sharing.group": "for a token group's sessions together",
    "sharing.everybody": "for all sessions together",
    "no_data.mean_between_readings": "no power was measured: it is the mean between two readings",
    "no_data.cheapest_price": "nothing says what power or current there was: of the prices that "
    "may hold the cheapest was taken",
    "no_data.ignore_restriction": "a power or current restriction was ignored where nothing was "
    "measured",
    "no_data.skip_element": "elements with a power or current restriction were skipped where "
    "nothing was measured",
    "share.all": "free",
    "share.part": "* % off",
    "times.once": "once",
    "times.many": "* times",
    "costs.one": "* costs",
    "costs.several": "* together cost",
    "costs.and": " and ",
    "joint": "; ",
}

SENTENCES: Final = _WHEN | _LINES | _ADJUSTMENTS | _SHARED | _NOTES | REFUSALS
LABELS: Final = {
    "tax": "{name}",
    "group": "group {group}",
    "validation": "validation {validation}",
    "free_first": "free at first",
    "free_below": "free for its size",
    "round_down": "rounded down",
    "cap": "cap",
    "cap_a_night": "cap",
    "at_least": "least fee",
    "surcharge": "surcharge",
    "allowance": "allowance {allowance}",
    "period_cap": "cap {cap}",
    "period_cap_a_night": "cap {cap}",
    "coupon": "coupon {coupon}",
}
ENGLISH: Final = Wording(SENTENCES | WORDS, LABELS)
