"""What listens does so at addresses of IPv6, too, and says them as addresses are written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from deploy.interface.files_port import open_files
from deploy.interface.serving import open_http
from deploy.listening import place_of, written_place
from deploy.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_people_and_stations_reach_what_listens(host: str) -> None:
    settings = replace(Settings(), files_host=host, files_port=0)
    with closing(open_http(host, 0)) as people, closing(open_files(settings)) as files:
        for listener in (people, files):
            port = listener.getsockname()[1]

            assert place_of(listener) == written_place(host, port)


@pytest.mark.parametrize(
    ("host", "place"), [("127.0.0.1", "127.0.0.1:80"), ("here", "here:80"), ("::1", "[::1]:80")]
)
def test_a_place_is_written_as_in_addresses(host: str, place: str) -> None:
    assert written_place(host, 80) == place
