"""An element of XML, asked for what lies below it by paths."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, final

from lxml import etree

from projections.documents.electronic.electronic_invoice import TaxCategory

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:Common"
_UNECE = "urn:un:unece:uncefact:data:standard:"
NAMESPACES = {
    "cac": f"{_UBL}AggregateComponents-2",
    "cbc": f"{_UBL}BasicComponents-2",
    "qdt": f"{_UNECE}QualifiedDataType:100",
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "rsm": f"{_UNECE}CrossIndustryInvoice:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
}
Element = Any


@final
class Part:
    """An element, asked for what lies below it by paths."""

    def __init__(self, element: Element) -> None:
        self._element = element

    def parts(self, path: str) -> list[Part]:
        return [Part(each) for each in self._element.iterfind(path, NAMESPACES)]

    def part(self, path: str) -> Part | None:
        found = self.parts(path)
        assert len(found) <= 1, path
        return found[0] if found else None

    def text(self, path: str) -> str | None:
        found: str | None = self._element.findtext(path, None, NAMESPACES)
        return found

    def said(self, path: str) -> str:
        found = self.text(path)
        assert found is not None, path
        return found

    def amount(self, path: str) -> Decimal:
        return Decimal(self.said(path))

    def attribute(self, path: str, name: str) -> str:
        return str(self._element.find(path, NAMESPACES).get(name))

    def day(self, path: str) -> date | None:
        found = self.text(path)
        return date.fromisoformat(found) if found else None


def parsed(xml: bytes) -> Element:
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False))


def category_of(part: Part, code: str, percent: str) -> TaxCategory:
    rate = part.text(percent)
    return TaxCategory(part.said(code), None if rate is None else Decimal(rate))
