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
