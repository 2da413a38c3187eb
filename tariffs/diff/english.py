"""What differs between two tariffs, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from tariffs.calendar import english

_WHAT: Final = "{fee:word charged}{windows:? *}{when:? *}"
_ADJUSTMENT: Final = "{named:label?*: }{what}{on:word dimension/, ? (*)}"
_ELEMENT: Final = "Element {element:ordinal}{name:? (*)}"

_PRICES: Final = {
    "all_of": "{runs:/, }",
    "any_of": "{runs:/ or }",
    "both_of": "{runs:/ and }",
    "price_rises": f"{_WHAT} rises from {{old}} to {{new}}{{share:number? (+* %)}}",
    "price_falls": f"{_WHAT} falls from {{old}} to {{new}}{{share:number? (-* %)}}",
    "price_changes": f"{_WHAT} changes from {{old}} to {{new}}",
    "becomes_free": f"{_WHAT} becomes free (was {{old}})",
    "starts_to_cost": f"{_WHAT} starts to cost {{new}}",
    "counted_otherwise": "{fee:word charged}: other elements hold than before; each bills its own "
    "once, so one session may owe more or fewer",
    "rate_changes": f"{{name:word tax}} on {_WHAT} changes from {{old}} to {{new}}",
    "tax_changes": f"Tax on {_WHAT} changes from {{old}} to {{new}}",
    "percentage": "{percent:number} %",
    "no_rate": "no rate",
    "step_changes": f"step_size of {_WHAT} changes from {{old:number}} to {{new:number}} {{unit}}",
}
_SETTINGS: Final = {
    "setting_changes": "{setting:word setting} changes from {old} to {new}",
    "text_said": "{text:quoted}",
    "nothing_said": "nothing",
    "prices_meant_otherwise": "Prices were {old:word meant} and are now {new:word meant}: compare "
    "them with care",
    "below_zero_allowed": "Prices may now be below zero",
    "below_zero_refused": "Prices may no longer be below zero",
    "percent_taxes_change": "Taxes in percent: {new:/, } (was {old:/, })",
    "kwh_taxes_change": "Taxes per kWh: {new:/, } (was {old:/, })",
    "percent_tax": "{name} {percent:number} %{stack:? on those before it}",
    "kwh_tax": "{name} {amount:money}{tax:? + *}",
    "no_taxes_of_its_own": "none of its own",
    "least_changes": "A session costs at least {new} (was {old})",
    "most_changes": "A session costs at most {new} (was {old})",
    "limit_before": "{before:money} before taxes",
    "limit_of_both": "{before:money} before taxes and {after:money} after taxes",
    "no_limit": "whatever its lines add up to",
    "put_aside_changes": "Before an ad hoc start is put aside: {new} (was {old})",
    "put_aside": "{amount:money}",
    "put_aside_likely": "what is likely",
    "valid_from_changes": "Valid from {new} (was {old})",
    "valid_until_changes": "Valid until {new} (was {old})",
    "moment_set": "{day:day} {clock:clock} {zone}",
    "no_moment_set": "no set date",
    "driver_text_changes": "The text for drivers changes",
}
_FROZEN: Final = {
    "series_changes": "Energy that follows a price series costs {new} (was {old})",
    "series_terms": "its price of {series:quoted} for each {seconds:duration}"
    "{percent:number? + * %}{markup:number? + *}{floor:number?, at least *}"
    "{cap:number?, at most *}",
    "no_series": "what its element says alone",
    "series_prices_change": "Prices of the series: {changed:number} are others, {added:number} "
    "come and {removed:number} go",
    "holidays_change": "Public holidays are {new} (were {old})",
    "holidays_of": "those of {country}{region:?-*} in {years:/, }",
    "no_holidays": "not named",
    "holiday_days_change": "Public holidays: {added:number} days come and {removed:number} go",
}
_PARTS: Final = {
    "element_removed": f"{_ELEMENT} is removed: {{what}}",
    "element_added": f"{_ELEMENT} is added: {{what}}",
    "element_renamed": f"{_ELEMENT} was called {{old}}",
    "element_moves": f"{_ELEMENT} moves from place {{old:ordinal}} to place {{new:ordinal}}",
    "element_changes": f"{_ELEMENT} changes from: {{old}}, to: {{new}}",
    "element_steps_change": f"{_ELEMENT} bills in other steps: {{old:/, }} became {{new:/, }}",
    "step_of": "{dimension} step_size {step:number}",
    "adjustment_removed": f"Adjustment is removed: {_ADJUSTMENT}",
    "adjustment_added": f"Adjustment is added: {_ADJUSTMENT}",
    "adjustments_reordered": "Adjustments apply in another order",
}
SENTENCES: Final = _PRICES | _SETTINGS | _FROZEN | _PARTS
WORDS: Final = {
    "setting.id": "Id",
    "setting.name": "Name",
    "setting.currency": "Currency",
    "setting.type": "Type",
    "setting.country_code": "Country code",
    "setting.party_id": "Party",
    "setting.alt_url": "Link for drivers",
    "setting.step_policy": "How steps count",
    "setting.rounding": "What is rounded",
    "setting.rounding_mode": "How it is rounded",
    "setting.flat_policy": "Which session fees count",
    "meant.YES": "including taxes",
    "meant.NO": "before taxes",
    "meant.N/A": "without taxes",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES | WORDS)
