"""What is wrong with a document, and what to do, in English: the one place of these sentences."""

from __future__ import annotations

from typing import Final

from ledger.invoices import english

_FAULT: Final = "nothing declared can cause that: report it, with `wattledger replay --check`."
_AGAIN: Final = "Declare it with `wattledger apply`, and the document is issued."

SENTENCES: Final = {
    "sessions_missing": f"It names {{stated}} sessions and is made of {{wanted}}; {_FAULT}",
    "type_wrong": f"Its type {{stated}} is not that of what it is; {_FAULT}",
    "session_twice": f"Session {{session}} stands on it twice; {_FAULT}",
    "rating_other": f"What it names of {{session}} is not the rating it is made of; {_FAULT}",
    "credit_of_no_invoice": f"What is credited of {{session}} is of no invoice; {_FAULT}",
    "credited_line_unknown": f"It credits a line that {{session}} does not have; {_FAULT}",
    "credited_twice": f"It credits a line of {{session}} that was credited before; {_FAULT}",
    "session_sum_wrong": f"The lines of {{session}} are not what it says of them; {_FAULT}",
    "line_twice": f"A line of {{session}} stands there twice; {_FAULT}",
    "session_not_of_lines": f"The price of {{session}} is not the sum of its lines; {_FAULT}",
    "unit_unknown": f"Line {{line}} of {{session}} is counted in {{unit}}, no unit that invoices"
    f" have (KWH, HUR, MIN, C62); {_FAULT}",
    "line_not_quantity_times_price": "Line {line} of {session} is not its quantity times its"
    f" price; {_FAULT}",
    "line_wrongly_rounded": "Line {line} of {session} is not its quantity times its price, rounded"
    f" to the currency; {_FAULT}",
    "session_wrongly_rounded": "The lines of {session} are not the rounded sum of quantity times"
    f" price; {_FAULT}",
    "currency_unknown": f"ISO 4217 has no currency {{currency}}; {_FAULT}",
    "currency_digits_wrong": "{currency} has {wanted} decimals, not {stated}: its amounts would be"
    f" read wrongly; {_FAULT}",
    "currency_of_session_other": f"It is in {{stated}}, a session in {{other}}; {_FAULT}",
    "net_total_wrong": f"Its net total is {{stated}}, its parts come to {{wanted}}; {_FAULT}",
    "tax_total_wrong": f"Its tax is {{stated}}, its taxes come to {{wanted}}; {_FAULT}",
    "gross_total_wrong": f"Its total is {{stated}}, net and tax come to {{wanted}}; {_FAULT}",
    "due_wrong": f"It asks for {{stated}}, total and rounding come to {{wanted}}; {_FAULT}",
    "taxes_not_of_lines": f"Its taxes are not those of its lines ({{taxes}}); {_FAULT}",
    "net_of_rate_wrong": "What {tax} is on is {stated}, its lines come to {wanted}; " + _FAULT,
    "taxable_sum_wrong": f"{{tax}} is on {{stated}} and should be on {{wanted}}; {_FAULT}",
    "tax_wrong": f"{{tax}} is {{stated}}, its rate on its sum is {{wanted}}; {_FAULT}",
    "tax_of_rate_not_of_parts": f"What is owed of {{tax}} is not the sum of its taxes; {_FAULT}",
    "category_unknown": "{tax} has the category {category}, which EN 16931 does not have"
    f" (S, Z, E, AE, K, G, O); {_FAULT}",
    "category_wrong": "{tax} has the category {category}, by its rate it is {wanted};"
    f" {_FAULT}",
    "tax_in_category_without": "{tax} is charged in the category {category}, which has no tax:"
    " declare a tariff whose prices say their tax in percent.",
    "rounding_without_reason": f"It is rounded by {{stated}}, by its rules it is {{wanted}};"
    f" {_FAULT}",
    "seller_without_name": f"Its seller has no name. {_AGAIN}",
    "seller_without_country": f"{{seller}} has no country in its address. {_AGAIN}",
    "vat_id_digits_wrong": "The check digits of the {who}'s ({name}) vat_id {vat_id} are wrong."
    f" {_AGAIN}",
    "vat_id_form_wrong": "The {who}'s ({name}) vat_id {vat_id} is not as its country writes them."
    f" {_AGAIN}",
    "iban_wrong": f"The check digits of the seller's iban {{iban}} are wrong. {_AGAIN}",
    "bic_wrong": f"The seller's bic {{bic}} is none. {_AGAIN}",
    "reverse_charge_without_buyer_vat_id": "Its buyer owes the tax and has no vat_id any more."
    f" {_AGAIN}",
    "reverse_charge_without_seller_vat_id": "Its buyer owes the tax, and {seller} has no vat_id."
    f" {_AGAIN}",
    "reverse_charge_not_said": f"It does not say that its buyer owes the tax; {_FAULT}",
    "number_missing": f"It has no number; {_FAULT}",
    "due_before_issue": f"It is due on {{due}}, before its date {{issued}}; {_FAULT}",
    "credit_before_invoice": "Its date {issued} lies before that of invoice {number}, {invoiced};"
    f" {_FAULT}",
    "credited_number_missing": f"It credits an invoice without a number; {_FAULT}",
    "official_rule_broken": "Its electronic invoice breaks {rule} of EN 16931: {told}",
}
ENGLISH: Final = english.ENGLISH.extended(SENTENCES)
