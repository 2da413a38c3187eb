"""Status codes of answers. Source: OCPI 2.2.1, status_codes."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What came of a request, inside the envelope; HTTP's own status says how it got there."""

    SUCCESS = 1000
    CLIENT_ERROR = 2000
    INVALID_PARAMETERS = 2001
    NOT_ENOUGH_INFORMATION = 2002
    UNKNOWN_LOCATION = 2003
    UNKNOWN_TOKEN = 2004
    SERVER_ERROR = 3000
    UNUSABLE_API = 3001
    """The client's: we cannot use what it offers."""
    UNSUPPORTED_VERSION = 3002
    NO_MATCHING_ENDPOINTS = 3003
    HUB_UNKNOWN_RECEIVER = 4001
    HUB_TIMEOUT = 4002
    HUB_UNREACHABLE = 4003
