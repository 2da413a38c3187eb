"""Where partners find what: each version's modules by path and method.

{address}/versions
{address}/{version}
{address}/{version}/credentials
{address}/{cpo or emsp}/{version}/{module}{path of the route}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from roaming_ocpi.server.calls import Module, Route
from roaming_ocpi.wire.modules import ModuleId
from tariffs.ocpi.versions import OcpiVersion


class OfferedRoute(NamedTuple):
    """A route of a module in one version; `template` is its path behind our address.

    `module` is None for the versions themselves.
    """

    template: str
    version: OcpiVersion
    module: Module | None
    route: Route


class FoundRoutes(NamedTuple):
    """What is at a path: a route by its method, and what the path says of its parameters."""

    by_method: Mapping[str, OfferedRoute]
    path: Mapping[str, str]


def module_path(module: Module, version: OcpiVersion) -> str:
    """Return where *module* is behind our address; of credentials there are not two sides."""
    if module.identifier is ModuleId.CREDENTIALS:
        return f"/{version}/{module.identifier}"
    return f"/{module.side}/{version}/{module.identifier}"


def offered_routes(modules: Sequence[Module]) -> Iterator[OfferedRoute]:
    """Yield every route of *modules* in every version that has it."""
    for module in modules:
        for version in sorted(module.versions):
            for route in module.routes:
                yield OfferedRoute(
                    module_path(module, version) + route.path, version, module, route
                )


class RouteTable:
    """Finds what is at a path."""

    def __init__(self, routes: Sequence[OfferedRoute]) -> None:
        by_template: dict[tuple[str, ...], dict[str, OfferedRoute]] = {}
        for each in routes:
            parts = tuple(each.template.removeprefix("/").split("/"))
            methods = by_template.setdefault(parts, {})
            assert each.route.method not in methods, f"{each.route.method} {each.template} twice"
            methods[each.route.method] = each
        self._by_length: dict[int, list[tuple[tuple[str, ...], Mapping[str, OfferedRoute]]]] = {}
        # What is said in words goes before what is a parameter.
        for parts in sorted(
            by_template, key=lambda parts: [part.startswith("{") for part in parts]
        ):
            self._by_length.setdefault(len(parts), []).append((parts, by_template[parts]))

    def find(self, segments: Sequence[str]) -> FoundRoutes | None:
        """Return what is at the path of these *segments*, percent-decoded; None: nothing."""
        for parts, by_method in self._by_length.get(len(segments), ()):
            path = _matched(parts, segments)
            if path is not None:
                return FoundRoutes(by_method, path)
        return None


def _matched(parts: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    path = {}
    for part, segment in zip(parts, segments, strict=True):
        if part.startswith("{"):
            if not segment:
                return None
            path[part[1:-1]] = segment
        elif part != segment:
            return None
    return path
