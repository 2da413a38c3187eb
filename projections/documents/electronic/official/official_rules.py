"""The schemas and compiled rules of one thread, which `validator` owns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from projections.documents.electronic.electronic_invoice import EN16931, XRECHNUNG
from projections.documents.electronic.official.official_files import BY_ROOT, folder_of_files
from projections.documents.electronic.problems import (
    UNJUDGED,
    RuleProblem,
    ValidatorMissingError,
)

_SVRL: Final = "{http://purl.oclc.org/dsdl/svrl}"
_TOLD: Final = (f"{_SVRL}failed-assert", f"{_SVRL}successful-report")
_FIRED: Final = f"{_SVRL}fired-rule"
_PRE_EVALUATE: Final = "http://saxon.sf.net/feature/preEvaluateDocFunction"
_NO_ERROR: Final = frozenset({"warning", "information", "info"})
"""What rules say by the way; the rest is against the document, also without a flag."""


_Node = Any
"""An element of lxml, which says nothing of its types."""


class OfficialRules:
    """The official schemas and rules of *folder*, each compiled when it is first needed.

    Raises:
        ValidatorMissingError: If a part of it is not installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            # Here: who sends no documents starts without them.
            from lxml import etree  # noqa: PLC0415
            from saxonche import PySaxonProcessor  # noqa: PLC0415
        except ImportError as error:
            raise ValidatorMissingError(str(error)) from error
        self._etree: Any = etree
        self._folder = folder_of_files() if folder is None else folder
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True)
        self._new_processor: Any = PySaxonProcessor
        self._processor: Any = None
        self._schemas: dict[str, Any] = {}
        self._rules: dict[str, Any] = {}

    def problems(self, xml: bytes) -> tuple[RuleProblem, ...]:
        """Return which rules *xml* breaks: those of its schema, else those of Schematron."""
        try:
            root = self._etree.fromstring(xml, self._parser)
        except self._etree.XMLSyntaxError as error:
            return (RuleProblem("XML", str(error)),)
        if root.getroottree().docinfo.doctype:
            # Saxon would follow its entities.
            return (RuleProblem("XML", "a document type declaration is not allowed"),)
        files = BY_ROOT.get(root.tag)
        if files is None:
            return (RuleProblem("XML", f"no rules for a document of {root.tag}"),)
        return tuple(self._of_schema(root, files.schema)) or tuple(
            self._of_schematron(xml, files.rules)
        )

    def _of_schema(self, root: _Node, name: str) -> Iterator[RuleProblem]:
        if name not in self._schemas:
            self._schemas[name] = self._etree.XMLSchema(file=str(self._file(name)))
        schema = self._schemas[name]
        if not schema.validate(root):
            for error in schema.error_log:
                yield RuleProblem("XSD", error.message, error.path or "")

    def _of_schematron(self, xml: bytes, name: str) -> Iterator[RuleProblem]:
        rules = self._compiled(name)
        # XRechnung's name is not among those that the profile knows; its rules are the same ones.
        text = xml.decode().replace(f">{XRECHNUNG}<", f">{EN16931}<", 1)
        try:
            node = self._processor.parse_xml(xml_text=text)
            report = rules.transform_to_string(xdm_node=node)
        except Exception as error:  # noqa: BLE001 - Saxon's; the rules are there, and fail at this one
            yield RuleProblem(UNJUDGED, f"{type(error).__name__}: {error}")
            return
        told = self._etree.fromstring(report.encode(), self._parser)
        if told.tag != f"{_SVRL}schematron-output" or told.find(_FIRED) is None:
            why = f"{name} gave no report"
            raise ValidatorMissingError(why)
        for each in told.iter(*_TOLD):
            if (each.get("flag") or each.get("role") or "").lower() not in _NO_ERROR:
                words = " ".join("".join(each.itertext()).split())
                rule, _, message = words.removeprefix("[").partition("]")
                yield RuleProblem(
                    each.get("id") or rule, message.lstrip(" -") or words, each.get("location", "")
                )

    def _compiled(self, name: str) -> Any:  # noqa: ANN401 - Saxon says nothing of its types
        if self._processor is None:
            self._processor = self._new_processor(license=False)
            # The lists of codes are read once, with the rules, and not for each document.
            self._processor.set_configuration_property(_PRE_EVALUATE, "true")
        if name not in self._rules:
            compiler = self._processor.new_xslt30_processor()
            self._rules[name] = compiler.compile_stylesheet(stylesheet_file=str(self._file(name)))
        return self._rules[name]

    def _file(self, name: str) -> Path:
        file = self._folder / name
        if not file.is_file():
            why = f"{name} is not in {self._folder}"
            raise ValidatorMissingError(why)
        return file
