"""Which versions and modules a partner has: read as it says them, and the best chosen.

Source: OCPI 2.1.1, 2.2.1 and 2.3.0, version_information_endpoint. 2.1.1 names no role of an
endpoint: what a partner is says what it must be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ledger.master_data.partners import PartnerRole
from roaming_ocpi.client.addresses import joined_address
from roaming_ocpi.client.answers import ForbiddenAddressError
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.terms import PartnerTerms
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion

Endpoints = Mapping[tuple[ModuleId, InterfaceRole], str]
ENDPOINTS_MAX: Final = 200
_SENT_BY_CPO: Final = frozenset(
    {ModuleId.LOCATIONS, ModuleId.TARIFFS, ModuleId.SESSIONS, ModuleId.CDRS}
)
_KNOWN: Final = frozenset(ModuleId)
_BOTH: Final = tuple(InterfaceRole)


class NoMutualVersionError(RoamingError):
    """Nothing that both speak."""

    def __init__(self, ours: Iterable[str], theirs: Iterable[str]) -> None:
        said = ", ".join(sorted(each[:10] for each in theirs)[:10]) or "none"
        super().__init__(
            f"no version of OCPI is spoken by both: the partner offers {said}, we may speak "
            f"{', '.join(ours)} with it (versions of the partner, as declared)"
        )


class NoEndpointsError(RoamingError):
    """A partner offers nothing that we know."""

    def __init__(self) -> None:
        super().__init__("the partner's version details name no module that we know")


def read_versions(data: object, base: str) -> dict[str, str]:
    """Return the address of the details of each version that a partner offers at *base*. Total.

    Our own are told by `roaming_ocpi.server.versions`.
    """
    return {
        each["version"].strip(): url
        for each in _objects(data)
        if isinstance(each.get("version"), str)
        and (url := _address(base, each.get("url"))) is not None
    }


def best_version(terms: PartnerTerms, offered: Iterable[str]) -> OcpiVersion:
    """Return the highest version that both may speak.

    Raises:
        NoMutualVersionError: If there is none.
    """
    offered = set(offered)
    both = [each for each in terms.versions if each in offered]
    if not both:
        raise NoMutualVersionError(terms.versions, offered)
    return both[-1]


def read_endpoints(data: object, version: OcpiVersion, terms: PartnerTerms, base: str) -> Endpoints:
    """Return the modules of a partner's version details, told at *base*, that we know.

    Raises:
        NoEndpointsError: If there is none.
    """
    found: dict[tuple[ModuleId, InterfaceRole], str] = {}
    listed = data.get("endpoints") if isinstance(data, dict) else None
    for each in _objects(listed):
        identifier, url = each.get("identifier"), _address(base, each.get("url"))
        if not isinstance(identifier, str) or identifier not in _KNOWN or url is None:
            continue
        module = ModuleId(identifier)
        for role in _roles(module, each.get("role"), url, version, terms):
            found.setdefault((module, role), url)
    if not found:
        raise NoEndpointsError
    return found


def _roles(
    module: ModuleId, said: object, url: str, version: OcpiVersion, terms: PartnerTerms
) -> Sequence[InterfaceRole]:
    """Return which of the partner's interfaces an endpoint is."""
    if module is ModuleId.CREDENTIALS:
        return _BOTH
    if version is not OcpiVersion.V2_1_1:
        return [each for each in InterfaceRole if each == said]
    roles = frozenset(terms.partner.roles)
    is_cpo = bool(roles & {PartnerRole.CPO, PartnerRole.HUB})
    is_emsp = bool(roles & {PartnerRole.EMSP, PartnerRole.HUB})
    if is_cpo and is_emsp:
        # Who is both has two addresses, and mostly says in them which is which.
        segments = url.lower().split("/")
        is_cpo = not {"emsp", "msp"} & set(segments)
        is_emsp = "cpo" not in segments
    return list(_roles_of(module, is_cpo=is_cpo, is_emsp=is_emsp))


def _roles_of(module: ModuleId, *, is_cpo: bool, is_emsp: bool) -> Iterator[InterfaceRole]:
    is_of_cpo = module in _SENT_BY_CPO
    if is_cpo if is_of_cpo else is_emsp:
        yield InterfaceRole.SENDER
    if is_emsp if is_of_cpo else is_cpo:
        yield InterfaceRole.RECEIVER


def _address(base: str, text: object) -> str | None:
    """Return the address that *text* is, None where it is none that may be asked."""
    if not isinstance(text, str):
        return None
    try:
        return joined_address(base, text)
    except ForbiddenAddressError:
        return None


def _objects(data: object) -> Iterator[Mapping[str, Any]]:
    items = data if isinstance(data, list) else []
    yield from (each for each in items[:ENDPOINTS_MAX] if isinstance(each, dict))
