"""Logos: pictures that can be set, and what becomes of others."""

from __future__ import annotations

from base64 import b64encode
from struct import pack
from zlib import compress, crc32

import pytest

from projections.documents.evidence import NO_EVIDENCE
from projections.documents.pages.logo import logo_problem
from projections.documents.pages.pdf import pdf
from tests.projections.documents.shown_documents import LOGO, an_invoice

_SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inside: str, before: str = "") -> str:
    whole = f'{before}<svg {_SVG} viewBox="0 0 100 30">{inside}</svg>'
    return "data:image/svg+xml;base64," + b64encode(whole.encode()).decode()


def png() -> str:
    """Return a picture of 2 x 1 dots, one of them half transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", crc32(kind + data))

    dots = compress(b"\0" + bytes((200, 0, 0, 255, 0, 0, 200, 128)))
    head = chunk(b"IHDR", pack(">IIBBBBB", 2, 1, 8, 6, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", dots) + chunk(b"IEND", b"")
    return "data:image/png;base64," + b64encode(data).decode()


@pytest.mark.parametrize(
    "logo",
    [
        LOGO,
        png(),
        svg('<text x="1" y="20" font-family="Arial">Depot</text>'),
        svg('<rect width="9000" height="1"/>'),
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/%3E",
    ],
)
def test_a_picture_can_be_set(logo: str) -> None:
    bare = pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE)

    assert logo_problem(logo) is None
    assert pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE, logo=logo) != bare


BROKEN = {
    "it loads from elsewhere": svg(
        '<image width="1" xlink:href="http://elsewhere.example/x.png"/>'
    ),
    "it loads a file": svg('<image width="1" height="1" xlink:href="/etc/hostname"/>'),
    "its entity is a file": svg(
        '<text y="9">&x;</text>', '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    ),
    "it is cut off": "data:image/svg+xml;base64,PHN2Zw==",
    "it is no picture": "data:image/png;base64,AAAA",
    "it is no base64": "data:image/png;base64,A",
    "it is no text": "data:image/svg+xml;base64,/w==",
    "its letters are in no font": svg('<text y="9">漢</text>'),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_picture_that_cannot_be_set_is_told_and_left_out(why: str) -> None:
    bare = pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE)

    assert logo_problem(BROKEN[why])
    assert pdf(an_invoice(), xml=None, evidence=NO_EVIDENCE, logo=BROKEN[why]) == bare
