"""The mark by which a PDF is known as one with an electronic invoice in it: its Factur-X XMP.

Source: Factur-X 1.0.7 (ZUGFeRD 2.3), 6.2 "XMP metadata"; ISO 19005-3, 6.6.2.3 (extension schema).
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Final

import pikepdf

from projections.errors import ProjectionError

FILE_NAME: Final = "factur-x.xml"
_NAMESPACE: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_VALUES: Final = {
    "DocumentType": ("INVOICE", "INVOICE, for credit notes too"),
    "DocumentFileName": (FILE_NAME, "name of the embedded XML file"),
    "Version": ("1.0", "version of the standard that the XML file follows"),
    "ConformanceLevel": ("EN 16931", "profile of the XML file"),
}
_END: Final = b"</rdf:RDF>"
_SCHEMAS: Final = re.compile(rb"<pdfaExtension:schemas>\s*<rdf:Bag>")
"""Where the typesetter's own extension schemas begin: a property stands in XMP only once."""


class StrangeMetadataError(ProjectionError):
    """The metadata of the typesetter's pages are not as they were: nothing was marked."""

    def __init__(self) -> None:
        super().__init__("the XMP of the pages has no list of extension schemas to add to")


def with_factur_x(page: bytes) -> bytes:
    """Return the PDF/A-3 *page*, which has the XML attached, with the metadata that say so.

    Raises:
        StrangeMetadataError: If its metadata are not those that the typesetter writes.
    """
    made = BytesIO()
    with pikepdf.open(BytesIO(page)) as document:
        metadata = document.Root.Metadata
        metadata.write(_marked(metadata.read_bytes()))
        document.save(
            made,
            deterministic_id=True,
            compress_streams=False,
            object_stream_mode=pikepdf.ObjectStreamMode.preserve,
        )
    return made.getvalue()


def _marked(metadata: bytes) -> bytes:
    schemas = _SCHEMAS.search(metadata)
    before, end, after = metadata.rpartition(_END)
    if schemas is None or not end:
        raise StrangeMetadataError
    listed = schemas.end()
    return before[:listed] + _schema() + before[listed:] + _values() + end + after


def _values() -> bytes:
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in _VALUES.items())
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
        for name, (_, meaning) in _VALUES.items()
    )
    return (
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI>"
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    ).encode()
