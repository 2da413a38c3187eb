"""Electronic addresses: "scheme:id", where the scheme is of the code list EAS.

Source: European Commission, CEF digital, code list EAS (Electronic Address Scheme), as of 2025; ids
of GS1 (0088) end in a check digit, modulus 10.
"""

from __future__ import annotations

import re
from typing import Final

from ledger.master_data.documents.leitweg_ids import is_leitweg_id

_CODES: Final = (
    "0002 0007 0009 0037 0060 0088 0096 0097 0106 0130 0135 0142 0147 0151 0154 0158 0170 0177"
    " 0183 0184 0188 0190 0191 0192 0193 0194 0195 0196 0198 0199 0200 0201 0202 0203 0204 0205"
    " 0208 0209 0210 0211 0212 0213 0215 0216 0217 0218 0219 0220 0221 0225 0230 0235 0240 0244"
    " 9901 9910 9913 9914 9915 9918 9919 9920 9922 9923 9924 9925 9926 9927 9928 9929 9930 9931"
    " 9932 9933 9934 9935 9936 9937 9938 9939 9940 9941 9942 9943 9944 9945 9946 9947 9948 9949"
    " 9950 9951 9952 9953 9957 9959 AN AQ AS AU EM"
)
SCHEMES: Final = frozenset(_CODES.split())
_GLN: Final = "0088"
_LEITWEG: Final = "0204"
_EMAIL_SCHEME: Final = "EM"
_GLN_DIGITS: Final = 13
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]",
    re.ASCII,
)
_EMAIL_MAX: Final = 254


def is_email(text: str) -> bool:
    """Whether *text* is an e-mail address as people have them: no comments, no quotes."""
    local = text.partition("@")[0]
    has_dots = local.startswith(".") or local.endswith(".") or ".." in local
    return len(text) <= _EMAIL_MAX and not has_dots and _EMAIL.fullmatch(text) is not None


def address_fault(text: str) -> str | None:
    """Return what is wrong with an electronic address, None if nothing is."""
    scheme, colon, name = text.partition(":")
    if not colon or not name.strip() or scheme not in SCHEMES:
        return (
            "expected scheme:id with a scheme of the list EAS: 0204:04011000-1234512345-06"
            " (Leitweg-ID), 0088:4012345000009 (GLN), EM:invoices@example.org"
        )
    if scheme == _LEITWEG and not is_leitweg_id(name):
        return f"the check digits of the Leitweg-ID {name} are wrong"
    if scheme == _GLN and not _is_gln(name):
        return f"{name} is no GLN: 13 digits, of which the last one checks the others"
    if scheme == _EMAIL_SCHEME and not is_email(name):
        return f"{name} is no e-mail address"
    return None


def _is_gln(text: str) -> bool:
    if not (text.isascii() and text.isdigit() and len(text) == _GLN_DIGITS):
        return False
    return sum(int(digit) * (1, 3)[index % 2] for index, digit in enumerate(text)) % 10 == 0
