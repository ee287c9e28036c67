"""Names that several test modules use."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("SAFELIGHT_DATA", ROOT.parent / "shared" / "data"))
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b' xmlns:exif="http://ns.adobe.com/exif/1.0/" tiff:Orientation="6" exif:GPSLatitude="10,20.5N"'
    b' dc:source="J\xc3\xb6rg"/></rdf:RDF></x:xmpmeta>'
)


def run_cli(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """`safelight ...` as a person runs it."""
    command = [sys.executable, "-m", "safelight", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload, no-any-return]
