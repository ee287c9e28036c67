"""XMP packets: small edits of the text, so that everything else stays as its author wrote it."""

import re
from typing import NamedTuple
from xml.sax.saxutils import escape

_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
ENHANCED = "algorithmicallyEnhanced"
"""IPTC's term for a photograph that an algorithm has improved."""
GENERATED = "trainedAlgorithmicMedia"
"""IPTC's term for what a model made."""


def upright(packet: bytes) -> bytes:
    """The same packet with every tiff:Orientation 1."""
    for prefix in _prefixes(packet, b"http://ns.adobe.com/tiff/1.0/"):
        pattern = re.compile(rb"(" + prefix + rb":Orientation(?:\s*=\s*[\"']|>))\s*\d+")
        packet = pattern.sub(rb"\g<1>1", packet)
    return packet


def without_regions(packet: bytes) -> bytes:
    """The same packet without places in the picture, such as faces: after it was turned they are elsewhere."""
    for namespace in _REGIONS:
        for prefix in _prefixes(packet, namespace):
            packet = _without(packet, prefix, rb"\w+")
    return packet


_REGIONS = (
    b"http://www.metadataworkinggroup.com/schemas/regions/",
    b"http://ns.microsoft.com/photo/1.2/",
    b"http://iptc.org/std/Iptc4xmpExt/2008-02-29/ImageRegion",
)


def without_gps(packet: bytes) -> bytes:
    """The same packet without positions: GPS*, latitudes, longitudes and altitudes of all name spaces."""
    return _without(packet, rb"[\w.-]+", rb"\w*(?i:gps|latitude|longitude|altitude|geotag)\w*")


_COMPANIONS = (
    b"http://ns.google.com/photos/1.0/camera/",
    b"http://ns.google.com/photos/1.0/container/",
    b"http://ns.google.com/photos/1.0/depthmap/",
    b"http://ns.google.com/photos/1.0/image/",
    b"http://ns.google.com/photos/dd/1.0/container/",
    b"http://ns.google.com/photos/dd/1.0/device/",
    b"http://ns.google.com/photos/dd/1.0/depthmap/",
    b"http://ns.adobe.com/hdr-gain-map/1.0/",
    b"http://ns.apple.com/HDRGainMap/1.0/",
)
"""Name spaces of what says where a video, a gain map or a depth map lies in the file."""
_EXTENDED = b"http://ns.adobe.com/xmp/note/"


def without_companions(packet: bytes) -> bytes:
    """The same packet without claims about videos, gain maps, depth maps and extensions in the file."""
    for namespace in (*_COMPANIONS, _EXTENDED):
        for prefix in _prefixes(packet, namespace):
            packet = _without(packet, prefix, rb"HasExtendedXMP" if namespace == _EXTENDED else rb"\w+")
    return packet


def _without(packet: bytes, prefix: bytes, name: bytes) -> bytes:
    """Without all properties of a prefix and a pattern of names, as attributes and as elements."""
    attribute = rb"\s+" + prefix + rb":" + name + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    element = rb"<" + prefix + rb":(" + name + rb")(?:\s[^>]*)?(?:/>|>.*?</" + prefix + rb":\1\s*>)"
    return re.sub(attribute, b"", re.sub(element, b"", packet, flags=re.DOTALL))


def _prefixes(packet: bytes, namespace: bytes) -> set[bytes]:
    prefixes = re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(namespace), packet)
    return {re.escape(prefix) for prefix in prefixes}


class Provenance(NamedTuple):
    """How a picture came to be."""

    facts: dict[str, str]
    source: str = ENHANCED
    """IPTC's DigitalSourceType."""


def with_provenance(packet: bytes | None, told: Provenance) -> bytes:
    """Add IPTC's DigitalSourceType and our own facts as one more rdf:Description.

    What an earlier run of ours said is replaced; a DigitalSourceType that is there already stays the only
    one. A packet without rdf:RDF is left as it is.
    """
    properties = "".join(
        f' safelight:{name}="{escape(value, {chr(34): "&quot;"})}"' for name, value in told.facts.items()
    )
    earlier = re.compile(rb'<rdf:Description rdf:about="" xmlns:safelight=[^>]*/>')
    head, end, tail = earlier.sub(b"", packet or _EMPTY).rpartition(b"</rdf:RDF>")
    source_type = (
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{told.source}"'
    )
    description = (
        '<rdf:Description rdf:about="" xmlns:safelight="https://safelight.invalid/ns/1.0/"'
        f"{'' if b'DigitalSourceType' in head else source_type}{properties}/>"
    ).encode()
    return head + description + end + tail if end else tail
