"""XMP packets: small edits of the text, so that everything else stays as its author wrote it."""

import re
from xml.sax.saxutils import escape

_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))\s*\d+")
_GPS = re.compile(rb"\s+exif:GPS\w+\s*=\s*(\"[^\"]*\"|'[^']*')|<exif:GPS(\w+)[^>]*(?:/>|>.*?</exif:GPS\2>)", re.DOTALL)
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
"""IPTC's term for a photograph that an algorithm has improved."""


def upright(packet: bytes) -> bytes:
    """The same packet with every tiff:Orientation 1."""
    return _ORIENTATION.sub(rb"\g<1>1", packet)


def without_gps(packet: bytes) -> bytes:
    """The same packet without exif:GPS* properties."""
    return _GPS.sub(b"", packet)


def with_provenance(packet: bytes | None, facts: dict[str, str]) -> bytes:
    """Add IPTC's DigitalSourceType and our own facts as one more rdf:Description.

    What an earlier run of ours said is replaced. A packet without rdf:RDF is left as it is.
    """
    properties = "".join(f' safelight:{name}="{escape(value, {chr(34): "&quot;"})}"' for name, value in facts.items())
    description = (
        '<rdf:Description rdf:about="" xmlns:safelight="https://safelight.invalid/ns/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"{properties}/>'
    ).encode()
    earlier = re.compile(rb'<rdf:Description rdf:about="" xmlns:safelight=[^>]*/>')
    head, end, tail = earlier.sub(b"", packet or _EMPTY).rpartition(b"</rdf:RDF>")
    return head + description + end + tail if end else tail
