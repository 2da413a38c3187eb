"""The quick way over HTTP/1.1: requests and answers of the plainest shape, which is most of them.

Whatever is odd is left to `h11`, which reads it, or says what is wrong with it: a head is plain
only where it cannot be read in two ways. Source: RFC 9112, 2.1, 5 and 6; RFC 9110, 5.5 and 5.6.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_REQUEST: Final = re.compile(
    rf"{_NAME} [!-~]++ HTTP/1\.1\r\n(?:{_NAME}: [!-~]++(?: [!-~]++)*\r\n)+\r\n"
)
# Without white space around values, no value is empty; nothing is folded.
_FIELD: Final = rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++): ([!-~]++(?: [!-~]++)*)\r\n"
_HEAD: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [ -~]*+\r\n(?:%b)+\r\n" % _FIELD)
_FIELDS: Final = re.compile(_FIELD)
_SIZE: Final = re.compile(rb"[0-9]{1,9}")
_FRAMING: Final = frozenset({b"transfer-encoding", b"upgrade", b"trailer"})
_LENGTH, _CONNECTION, _KEPT = b"content-length", b"connection", b"keep-alive"
_BODILESS: Final = frozenset({204, 205, 304})


class PlainHead(NamedTuple):
    """The head of an answer: names of `headers` in lower case, where its body is in what came."""

    http: int
    headers: Sequence[tuple[bytes, bytes]]
    body_at: int
    ends_at: int


def request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes | None:
    """Return what goes before the body of a request; None: it is not plain."""
    lines = [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
    # A value with a line in it would be a header of its own.
    is_plain = head.count("\n") == len(lines) + 2 and _REQUEST.fullmatch(head)
    return head.encode("ascii") if is_plain else None


def plain_head(came: bytes, *, size_max: int) -> PlainHead | None:
    """Return the head of the answer that *came*, maybe not all of its body.

    None: it is odd, or not there as a whole, or more came than the answer, or its body would have
    more than *size_max* bytes.
    """
    found = _HEAD.match(came)
    if found is None:
        return None
    body_at, http = found.end(), int(found[1])
    headers = [(name.lower(), value) for name, value in _FIELDS.findall(came, 0, body_at)]
    names = [name for name, _ in headers]
    if http in _BODILESS or names.count(_LENGTH) != 1 or not _FRAMING.isdisjoint(names):
        return None
    if _CONNECTION in names and any(e[0] == _CONNECTION and e[1].lower() != _KEPT for e in headers):
        return None
    length = headers[names.index(_LENGTH)][1]
    if not _SIZE.fullmatch(length) or (size := int(length)) > size_max:
        return None
    ends_at = body_at + size
    return PlainHead(http, headers, body_at, ends_at) if len(came) <= ends_at else None
