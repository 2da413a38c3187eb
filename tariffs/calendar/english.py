"""What weeks of prices, elements and restrictions say, in English: the one place of it."""

from __future__ import annotations

from typing import Final

from tariffs.phrases import english

SENTENCES: Final = {
    "price_for": "{amount:money}{unit}",
    "no_price": "free",
    "element_label": "element {element:ordinal}{name:? (*)}",
    "rate_of_tax": "{percent:number} % {name:word tax}",
    "component_price": "{fee:word charged} {amount:money}{unit}{series:? over the price series}"
    "{tax:? + *}",
    "element_prices": "{prices:/, } ({when:/, })",
    "always": "at all times",
    "one_day": "{day:word short_day}",
    "run_of_days": "{first:word short_day}-{last:word short_day}",
    "every_day": "every day",
    "on_days": "{days:/, }",
    "or_holidays": "{days} and public holidays",
    "hours": "{start:clock}-{end:clock}",
    "days_with_hours": "{days} {hours:/, }",
    "windows": "{groups:/; }",
    "yearly": "yearly from {start:month_day} to {end:month_day}",
    "on_date": "{date:day}",
    "between": "from {low} to {high}",
    "from_on": "from {low} on",
    "up_to": "up to {high}",
    "kw": "{kw:number} kW",
    "ampere": "{ampere:number} A",
    "prices_at_start": "the prices are those at the start of a session (0 kWh, 0 minutes, "
    "power not measured)",
    "prices_at": "the prices are those of a session at {point:/, }",
    "price_later": "{when}: {fee:word charged} {price} {windows}{by:?, by *}",
    "idle_grace": "the first {seconds:duration} of every stretch of parking cost nothing"
    "{because:?: *}",
    "series_on_top": "where energy follows the price series {series:quoted}, its price comes on "
    "top of what is shown here",
    "session_at_least": "a session costs at least {amount:money} before taxes",
    "session_at_most": "a session costs at most {amount:money} before taxes",
}
WORDS: Final = {
    "charged.ENERGY": "Energy",
    "charged.TIME": "Charging time",
    "charged.PARKING_TIME": "Parking time",
    "charged.FLAT": "Session fee",
    "charged.RESERVATION_TIME": "Reservation time",
    "charged.RESERVATION_FLAT": "Reservation fee",
    "short_day.MONDAY": "Mon",
    "short_day.TUESDAY": "Tue",
    "short_day.WEDNESDAY": "Wed",
    "short_day.THURSDAY": "Thu",
    "short_day.FRIDAY": "Fri",
    "short_day.SATURDAY": "Sat",
    "short_day.SUNDAY": "Sun",
    "tax.VAT": "VAT",
    "tax.Sales tax": "Sales tax",
    "tax.GST": "GST",
    "tax.GST/HST": "GST/HST",
    "tax.Consumption tax": "Consumption tax",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES | WORDS)
