"""What others' validators say of files: `python -m tests.outside.documents.judge FILE...`.

A JSON file is what `make demo JSON=FILE` wrote: the documents that it lists are judged.

A PDF is asked about as PDF/A-3b (veraPDF, by Mustang) and, with an invoice in it, as Factur-X; the
invoice itself, and an XML file, as EN 16931 (phive), as XRechnung where it claims to be one, and as
CII by Mustang as well. A judge that says nothing of a file it should judge is against it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pikepdf

from projections.documents.electronic.electronic_invoice import XRECHNUNG
from tests.outside.documents.programs import class_path

SECONDS_MAX = 900
ARCHIVE, PDF_A, FACTUR_X = "veraPDF", "mustang PDF/A", "mustang"
EN, GERMAN = "phive EN 16931", "phive XRechnung"


class Verdict(NamedTuple):
    """What one judge says of one file; `why` says nothing of a valid one."""

    file: str
    judge: str
    valid: bool
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.judge}: {'valid' if self.valid else f'INVALID: {self.why}'}"


def judged(files: Sequence[Path]) -> list[Verdict]:
    """Return the verdicts of all judges on *files*, in their order."""
    with tempfile.TemporaryDirectory() as scratch:
        inside = {file: _invoice_in(file, Path(scratch), n) for n, file in enumerate(files)}
        xml = {file: found for file, found in inside.items() if found is not None}
        said = _asked("phive", xml.values()) | _asked("mustang", _for_mustang(files, xml))
        return [
            said.get(
                (str(asked), judge), Verdict("", judge, valid=False, why="no verdict")
            )._replace(file=str(file))
            for file in files
            for asked, judge in _expected(file, inside[file])
        ]


def _invoice_in(file: Path, scratch: Path, number: int) -> Path | None:
    """Return the XML file that *file* is or has in it."""
    if file.suffix != ".pdf":
        return file
    with pikepdf.open(file) as document:
        for name, attached in document.attachments.items():
            if name.endswith(".xml"):
                found = scratch / f"{number}.xml"
                found.write_bytes(attached.get_file().read_bytes())
                return found
    return None


def _for_mustang(files: Sequence[Path], xml: dict[Path, Path]) -> list[Path]:
    return [file for file in files if file.suffix == ".pdf" or _is_cii(xml[file])]


def _is_cii(file: Path) -> bool:
    return b"CrossIndustryInvoice:100" in file.read_bytes()


def _expected(file: Path, xml: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield which judges must speak of *file*, and of which file they are asked then."""
    if file.suffix == ".pdf":
        yield file, ARCHIVE
    if xml is None:
        return
    if file.suffix == ".pdf":
        yield file, PDF_A
    if file.suffix == ".pdf" or _is_cii(xml):
        yield file, FACTUR_X
    yield xml, EN
    if f">{XRECHNUNG}<".encode() in xml.read_bytes():
        yield xml, GERMAN


def _asked(name: str, files: Iterable[Path]) -> dict[tuple[str, str], Verdict]:
    """Return what the judge *name* says, by file and by what it judged."""
    asked = [str(file) for file in files]
    if not asked:
        return {}
    done = subprocess.run(
        ["java", "-cp", class_path(name), "Judge"],
        input="".join(f"{file}\n" for file in asked),
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    verdicts = [line.split("\t") for line in done.stdout.splitlines()]
    return {
        (file, judge): Verdict(file, judge, verdict == "valid", why)
        for file, judge, verdict, why in verdicts
    }


def listed(file: Path) -> list[Path]:
    """Return the PDF and XML files of the demo's list, or *file* itself."""
    if file.suffix != ".json":
        return [file]
    documents = json.loads(file.read_text("utf-8"))["documents"]
    return [Path(each[kind]) for each in documents for kind in ("pdf", "xml") if each.get(kind)]


def main() -> int:
    """Print the verdicts; the exit code is 0 where there are some and all are good."""
    verdicts = judged([each for name in sys.argv[1:] for each in listed(Path(name).resolve())])
    for verdict in verdicts:
        sys.stdout.write(f"{verdict}\n")
    return 0 if verdicts and all(each.valid for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
