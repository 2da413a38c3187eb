"""A record's lines, counted without decoding them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.log.reading import count_lines


@given(st.lists(st.binary(max_size=3).map(lambda text: text.replace(b"\n", b"")), min_size=1))
def test_each_line_feed_begins_a_line(lines: list[bytes]) -> None:
    assert count_lines(b"\n".join(lines)) == len(lines)
