"""The mark by which a PDF is known as one with an electronic invoice in it: its Factur-X XMP.

It is added as a PDF is meant to be changed: what was there stays byte for byte, a newer version of
one object follows it (an incremental update). Reading and writing the whole costs thirty times it.

Source: Factur-X 1.0.7 (ZUGFeRD 2.3), 6.2 "XMP metadata"; ISO 19005-3, 6.6.2.3 (extension schema);
ISO 32000-1, 7.5.6 (incremental updates) and 7.5.4 (cross-reference table).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from projections.documents.electronic.electronic_invoice import XRECHNUNG
from projections.errors import ProjectionError


class FacturXProfile(NamedTuple):
    """By which name an invoice is attached, and to which profile it says to conform."""

    file_name: str
    level: str


_EN16931: Final = FacturXProfile("factur-x.xml", "EN 16931")
_GERMAN: Final = FacturXProfile("xrechnung.xml", "XRECHNUNG")
_NAMESPACE: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_MEANINGS: Final = {
    "DocumentType": "INVOICE, for credit notes too",
    "DocumentFileName": "name of the embedded XML file",
    "Version": "version of the standard that the XML file follows",
    "ConformanceLevel": "profile of the XML file",
}
_END: Final = b"</rdf:RDF>"
_SCHEMAS: Final = re.compile(rb"<pdfaExtension:schemas>\s*<rdf:Bag>")
"""Where the typesetter's own extension schemas begin: a property stands in XMP only once."""
_TRAILER: Final = re.compile(
    rb"\ntrailer\n<<([^\n]*/Root (\d+) 0 R[^\n]*)>>\nstartxref\n(\d+)\n%%EOF\s*\Z"
)
_TABLE: Final = re.compile(rb"xref\n0 \d+\n")
_ENTRY_BYTES, _TAIL_BYTES_MAX = 20, 1000
_METADATA: Final = re.compile(rb"\d+ 0 obj\n<<[^\n]*?/Metadata (\d+) 0 R")
_CONTENT: Final = re.compile(rb"\d+ 0 obj\n<</Length (\d+)(/Type/Metadata/Subtype/XML>>\n[a-z]+\n)")


class StrangePagesError(ProjectionError):
    """The typesetter's pages are not built as they were: nothing was marked."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pages cannot be marked as Factur-X: no {what} where it was")
        self.what = what


def profile_of(xml: bytes) -> FacturXProfile:
    """Return the profile of an invoice: that of German public buyers has a name of its own."""
    return _GERMAN if f">{XRECHNUNG}<".encode() in xml else _EN16931


def with_factur_x(page: bytes, profile: FacturXProfile) -> bytes:
    """Return the PDF/A-3 *page*, which has the XML attached, with the metadata that say so.

    Raises:
        StrangePagesError: If it is not built as the typesetter builds its pages.
    """
    end = len(page) - _TAIL_BYTES_MAX
    trailer = _found("trailer", _TRAILER.search(page, max(end, 0)))
    fields, root, table = trailer.groups()
    entries = _found("table", _TABLE.match(page, int(table))).end()
    catalog = _found("catalog", _METADATA.match(page, _offset(page, entries, int(root))))
    number = int(catalog[1])
    content = _found("metadata", _CONTENT.match(page, _offset(page, entries, number)))
    length, opening = content.groups()
    marked = _marked(page[content.end() : content.end() + int(length)], profile)
    at = len(page) + 1
    newer = b"%d 0 obj\n<</Length %d%s%s\nendstream\nendobj\n" % (
        number,
        len(marked),
        opening,
        marked,
    )
    entry = b"xref\n%d 1\n%010d 00000 n\r\n" % (number, at)
    last = b"trailer\n<<%s/Prev %s>>\nstartxref\n%d\n%%%%EOF" % (fields, table, at + len(newer))
    return b"%s\n%s%s%s" % (page, newer, entry, last)


def _found(what: str, found: re.Match[bytes] | None) -> re.Match[bytes]:
    if found is None:
        raise StrangePagesError(what)
    return found


def _offset(page: bytes, entries: int, number: int) -> int:
    """Return where object *number* begins, by the cross-reference table."""
    at = entries + _ENTRY_BYTES * number
    return int(page[at : at + 10] or b"-1")


def _marked(metadata: bytes, profile: FacturXProfile) -> bytes:
    listed = _found("schemas", _SCHEMAS.search(metadata)).end()
    before, end, after = metadata.rpartition(_END)
    return before[:listed] + _schema() + before[listed:] + _values(profile) + end + after


def _values(profile: FacturXProfile) -> bytes:
    said = "INVOICE", profile.file_name, "1.0", profile.level
    values = "".join(
        f"<fx:{name}>{value}</fx:{name}>" for name, value in zip(_MEANINGS, said, strict=True)
    )
    return (
        f'<rdf:Description rdf:about="" xmlns:fx="{_NAMESPACE}">{values}</rdf:Description>'
    ).encode()


def _schema() -> bytes:
    properties = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{meaning}</pdfaProperty:description></rdf:li>"
        for name, meaning in _MEANINGS.items()
    )
    return (
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI>"
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    ).encode()
