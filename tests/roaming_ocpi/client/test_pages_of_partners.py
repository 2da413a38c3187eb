"""A list is followed page by page as the partner links it, never round and round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from roaming_ocpi.client import http
from roaming_ocpi.client.addresses import joined_url
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.links import next_target
from tests.roaming_ocpi.client.odd_partner import (
    OddPartner,
    Request,
    answer,
    client_of,
    enveloped,
    link_to,
    odd_partner,
    saying,
)


async def objects_of(
    link: Callable[[str, int], str | None],
    *,
    data: Callable[[int], Any] = lambda page: [f"{page}-a", f"{page}-b"],
) -> tuple[list[Any], OddPartner]:
    """Return what a partner's pages bring whose link of page N is `link(url, N)`."""
    partner: OddPartner

    async def say(_request: Request, writer: asyncio.StreamWriter) -> None:
        page = len(partner.asked) - 1
        told = link(partner.url, page)
        headers = ["X-Total-Count: 6"] + ([f"Link: {told}"] if told else [])
        await saying(answer(enveloped(data(page)), headers=headers))(_request, writer)

    found: list[Any] = []
    async with odd_partner(say) as partner, client_of() as client:
        url, query = f"{partner.url}/emsp/cdrs", {"date_from": "2026-03-01T00:00:00Z"}
        async for page in client.pages(link_to(partner.url), url, query=query):
            found += page
    return found, partner


@pytest.mark.parametrize(
    "spelt",
    [
        '<{url}/emsp/cdrs?offset={next}>; rel="next"',
        "<{url}/emsp/cdrs?offset={next}>;rel=next",
        "<{url}/emsp/cdrs?offset={next}>; REL='Next'",
        '</emsp/cdrs?offset={next}>; rel="next"',
        '<?offset={next}>; rel="prev next"',
        '<{url}/emsp/cdrs?offset=0>; rel="first", <{url}/emsp/cdrs?offset={next}>; rel="next"',
        '<{url}/emsp/cdrs?offset={next}&a=1,2;3>; title="x"; rel="next"',
        '{url}/emsp/cdrs?offset={next}; rel="next"',
    ],
)
async def test_a_link_is_followed_however_it_is_spelt(spelt: str) -> None:
    def link(url: str, page: int) -> str | None:
        return spelt.format(url=url, next=page + 1) if page < 2 else None

    found, partner = await objects_of(link)

    assert found == ["0-a", "0-b", "1-a", "1-b", "2-a", "2-b"]
    assert partner.asked[0].target == "/emsp/cdrs?date_from=2026-03-01T00%3A00%3A00Z"
    assert [each.target.split("?")[1][:8] for each in partner.asked[1:]] == ["offset=1", "offset=2"]


@pytest.mark.parametrize(
    ("link", "data"),
    [
        pytest.param(
            lambda url, _: f'<{url}/emsp/cdrs?offset=1>; rel="next"', None, id="the same link"
        ),
        pytest.param(
            lambda url, page: f'<{url}/emsp/cdrs?offset={page % 2}>; rel="next"', None, id="two"
        ),
        pytest.param(
            lambda url, page: f'<{url}/emsp/cdrs?offset={page}>; rel="next"',
            lambda _: ["again"],
            id="the same objects under ever new links",
        ),
        pytest.param(
            lambda url, page: f'<{url}/emsp/cdrs?offset={page}>; rel="next"',
            lambda _: [],
            id="nothing, for ever",
        ),
        pytest.param(
            lambda url, _: f'<{url}/emsp/cdrs?date_from=2026-03-01T00:00:00Z>; rel="next"',
            None,
            id="the first page",
        ),
    ],
)
async def test_a_circle_is_refused(
    link: Callable[[str, int], str], data: Callable[[int], list[object]] | None
) -> None:
    with pytest.raises(PartnerRefusedError, match="circle"):
        await asyncio.wait_for(objects_of(link, data=data or (lambda page: [page])), 10)


@pytest.mark.parametrize("bound", ["PAGES_MAX", "LIST_SECONDS_MAX"])
async def test_a_list_without_an_end_gets_one(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, bound, 0.1)
    with pytest.raises(PartnerRefusedError, match="no end"):
        await objects_of(
            lambda url, page: f'<{url}/emsp/cdrs?offset={page}>; rel="next"',
            data=lambda page: [page],
        )


@pytest.mark.parametrize(
    "target", ["http://user:x@x.example/", "file:///etc/passwd", "http://x.example:99999/"]
)
async def test_a_link_elsewhere_is_guarded_as_every_address(target: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await objects_of(lambda _url, _page: f'<{target}>; rel="next"')


@pytest.mark.parametrize("data", [{"a": 1}, "text", 7])
async def test_what_is_no_list_is_refused(data: object) -> None:
    with pytest.raises(PartnerRefusedError, match="list"):
        await objects_of(lambda _url, _page: None, data=lambda _: data)


@pytest.mark.parametrize(("pages", "asked"), [(3, 3), (2, 3), (4, 3)])
async def test_who_gives_no_links_and_says_that_there_are_more_is_asked_for_them(
    pages: int, asked: int
) -> None:
    """Of six objects, two a page; one whose total is wrong has no more than it gives."""

    def data(page: int) -> list[str]:
        return [f"{page}-a", f"{page}-b"] if page < pages else []

    found, partner = await objects_of(lambda _url, _page: None, data=data)

    assert found == [each for page in range(min(pages, 3)) for each in data(page)]
    queries = [each.target.split("?")[1] for each in partner.asked]
    assert queries[0] == "date_from=2026-03-01T00%3A00%3A00Z"
    assert queries[1:] == [f"{queries[0]}&offset={2 * page}" for page in range(1, asked)]


async def test_who_gives_no_links_and_knows_no_offset_gives_all_that_it_has() -> None:
    found, partner = await objects_of(lambda _url, _page: None, data=lambda _: ["a", "b"])

    assert (found, len(partner.asked)) == (["a", "b"], 2)


async def test_who_gives_no_links_and_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAGES_MAX", 2)
    with pytest.raises(PartnerRefusedError, match="no end"):
        await objects_of(lambda _url, _page: None)


@pytest.mark.parametrize("body", [b"", b" \r\n"])
async def test_an_answer_of_nothing_is_no_end_of_a_list(body: bytes) -> None:
    async with odd_partner(saying(answer(body))) as partner, client_of() as client:
        with pytest.raises(PartnerUnreachableError, match="nothing"):
            async for _ in client.pages(link_to(partner.url), f"{partner.url}/emsp/cdrs"):
                pass


async def test_no_data_is_an_empty_list() -> None:
    found, _ = await objects_of(lambda _url, _page: None, data=lambda _: None)

    assert found == []


def test_a_server_behind_one_that_ends_tls_means_https() -> None:
    base = httpx.URL("https://x.example:8443/ocpi/cdrs?limit=5")

    assert str(joined_url(base, "http://x.example/ocpi/cdrs?offset=5")) == (
        "https://x.example:8443/ocpi/cdrs?offset=5"
    )
    assert joined_url(base, "http://other.example/").scheme == "http"


@pytest.mark.parametrize("header", ["", "<>", "<a>; rel=prev", ";;;", "<" * 9_000, 'rel="next"'])
def test_what_names_no_next_page_names_none(header: str) -> None:
    assert next_target([header]) is None
