"""Logos: a small picture that fetches nothing and runs nothing."""

from __future__ import annotations

from base64 import b64encode

import pytest

from ledger.master_data.documents.logos import PICTURE_BYTES_MAX, data_uri, logo_fault

ROOT = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
SQUARE = ROOT + '<path fill="url(#g)" d="M0 0h8v8z"/></svg>'
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 40 + b"IEND\xaeB`\x82"


@pytest.mark.parametrize(
    "picture", [SQUARE.encode(), PNG, b"<?xml version='1.0'?>" + SQUARE.encode()]
)
def test_a_small_picture_may_stand_in_documents(picture: bytes) -> None:
    assert logo_fault(data_uri(picture)) is None


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<script>alert(1)</script>", "element script"),
        ("<SCRIPT/>", "element SCRIPT"),
        ("<foreignObject/>", "element foreignObject"),
        ('<path onload="x()"/>', "script: onload"),
        ('<image href="https://example.org/a.png"/>', "outside of it"),
        ('<image xmlns:x="http://www.w3.org/1999/xlink" x:href="file:///etc/passwd"/>', "outside"),
        ('<use href="data:image/svg+xml,x"/>', "outside of it"),
        ("<path style=\"fill: url( 'http://example.org/x')\"/>", "fetches"),
        ("<style>@import 'x.css';</style>", "fetches"),
        ("<style>@<![CDATA[import 'x.css';]]></style>", "fetches"),
        ("<a><path d='javascript:1'/></a>", "fetches"),
        ("<path>", "neither PNG nor well-formed SVG"),
        ("<?php x ?>", "processing instruction"),
    ],
)
def test_what_runs_or_fetches_is_refused(inner: str, said: str) -> None:
    fault = logo_fault(data_uri(f"{ROOT}{inner}</svg>".encode()))

    assert fault is not None
    assert said in fault


def nested(what: str, attribute: str) -> str:
    """Return definitions of which each has the one before twice, and what has the last one."""
    twice = [f'<{what} id="d0"><path d="M0 0h8v8z"/></{what}>']
    twice += [
        f'<{what} id="d{each}">'
        + f'<path d="M0 0h8v8z" {attribute}="url(#d{each - 1})"/>' * 2
        + f"</{what}>"
        for each in range(1, 25)
    ]
    return "".join(twice) + f'<path d="M0 0h8v8z" {attribute}="url(#d24)"/>'


USED = "".join(
    f'<g id="d{n}"><use href="#d{n - 1}"/><use href="#d{n - 1}"/></g>' for n in range(25)
)
STYLED = (
    "<style>.a{mask:url(#a)}.b{mask:url(#b)}</style><mask id='a'><path class='b'/></mask>"
    "<mask id='b'><path class='a'/></mask><path class='a'/>"
)


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<text>" + "<tspan>" * 3_000 + "x" + "</tspan>" * 3_000 + "</text>", "within each other"),
        ("<filter><feTurbulence numOctaves='100000'/></filter>", "a filter"),
        ("<path filter='blur(9px)'/>", "a filter"),
        ("<path style='fill:red;filter:blur(9px)'/>", "a filter"),
        ("<style>.a{filter:blur(9px)}</style>", "a filter"),
        ("<marker/>", "a marker"),
        (nested("pattern", "fill"), "more than 5000 elements"),
        (nested("mask", "mask"), "more than 5000 elements"),
        (nested("clipPath", "clip-path"), "more than 5000 elements"),
        (USED, "more than 5000 elements"),
        ("<g id='a'><use href='#a'/></g>", "more than 5000 elements"),
        (STYLED, "more than 5000 elements"),
        ("<style>path{mask:url(#a)}</style><mask id='a'/>", "but for a class"),
        ("<text>" + "A" * 3_000 + "</text>", "letters"),
    ],
)
def test_what_asks_for_more_than_there_is_is_refused(inner: str, said: str) -> None:
    fault = logo_fault(data_uri(f"{ROOT}{inner}</svg>".encode()))

    assert fault is not None
    assert said in fault


def test_a_png_of_any_size_is_refused() -> None:
    claimed = PNG[:16] + (2**31 - 1).to_bytes(4) * 2 + PNG[24:]

    assert logo_fault(data_uri(claimed)) == "the picture has more than 10000000 pixels"


def test_a_picture_as_programs_write_it_may_stand_in_documents() -> None:
    inner = (
        "<defs><style>/* of all */ .cls-1,.cls-2{fill:url(#g);}.cls-2{clip-path:url(#c)}"
        "path{fill:url(#g);filter:none}</style><linearGradient id='g' href='#g2'><stop/>"
        "</linearGradient><linearGradient id='g2'/><rect id='r' width='8' height='8'/>"
        "<clipPath id='c'><use href='#r'/></clipPath></defs>"
        + "<g clip-path='url(#c)'><path class='cls-1' d='M0 0h8v8z' filter='none'/></g>" * 300
        + "<text>Harbour Charging</text><a href='#r'><path class='cls-2'/></a>"
    )

    assert logo_fault(data_uri(f"{ROOT}{inner}</svg>".encode())) is None


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SQUARE.encode(), "document type"),
        (b"<html/>", "its first element"),
        (b"<svg/>", "its first element"),
        (b"", "neither PNG nor"),
        (b"GIF89a", "neither PNG nor"),
        (PNG[:-3], "not all of it"),
        (SQUARE.encode().ljust(PICTURE_BYTES_MAX + 1), "more than 65536 bytes"),
        (b"\xff\xfe\0<", "neither PNG nor"),
    ],
)
def test_what_is_no_picture_is_refused(picture: bytes, said: str) -> None:
    fault = logo_fault(data_uri(picture))

    assert fault is not None
    assert said in fault


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("https://example.org/logo.svg", "expected a picture"),
        ("logo.svg", "expected a picture"),
        ("data:image/jpeg;base64,AAAA", "expected a picture"),
        ("data:image/png;base64,%%%", "is not that"),
        ("data:image/png;base64," + b64encode(PNG).decode() + "é", "is not that"),
        ("data:image/png;base64," + "A" * 200_000, "more than 65536 bytes"),
    ],
)
def test_only_a_data_uri_of_a_picture_is_one(uri: str, said: str) -> None:
    fault = logo_fault(uri)

    assert fault is not None
    assert said in fault
