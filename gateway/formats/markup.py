"""XML of carts: parsed without DTDs and entities, numbers and base64 taken from its text.

Encodings are taken from the byte order mark and the declaration, as XML prescribes; several carts write
UTF-16, and some declare it without writing it.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

import defusedxml
import defusedxml.ElementTree
import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError

_DECLARED = re.compile(r"^\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_NUMBERS = re.compile(r"[\s,+\-.0-9eE]*")
_INTEGERS = re.compile(r"[\s,]*+(?:[+-]?\d{1,15}(?:[\s,]++|\Z))++", re.ASCII)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ROOT = re.compile(r"<([A-Za-z_][\w.:-]*)(?=[\s>/])")
_SKIPPED = re.compile(r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!.*?(?:>|\Z)", re.DOTALL)


def head_text(data: bytes, length: int = 16384) -> str:
    """The beginning of a text file, decoded well enough to find its root element."""
    head = data[:length]
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head[len(bom) :].decode(encoding, "replace")
    if head[:4] in (b"<\0?\0", b"\0<\0?"):
        return head.decode("utf-16-le" if head[0] else "utf-16-be", "replace")
    return head.decode("latin-1")


def root_name(data: bytes) -> str:
    """Name of the root element without its prefix; empty where this is not XML."""
    head = head_text(data)
    if not head.lstrip().startswith("<"):
        return ""
    match = _ROOT.search(_SKIPPED.sub("", head))
    return match[1].rpartition(":")[2] if match else ""


def parse_xml(data: bytes, file_format: str) -> Element:
    """The root element, names without their namespaces.

    Raises
    ------
    FormatError
        Not well-formed, an entity, an external reference, a character outside the encoding.
    """
    try:
        root: Element = defusedxml.ElementTree.fromstring(_source(data), forbid_entities=True)
    except ParseError as error:
        line, column = error.position
        raise FormatError(file_format, f"line {line}", f"not well-formed XML, column {column}") from None
    except defusedxml.DefusedXmlException:
        raise FormatError(file_format, "document type", "holds entities, which are not resolved") from None
    except (ValueError, LookupError):
        raise FormatError(file_format, "declaration", "an encoding that is not known") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def _source(data: bytes) -> bytes | str:
    """Text without its declaration, which may lie, or bytes where expat can decode them itself.

    Expat knows no encodings of several bytes but UTF-8 and UTF-16; carts made in China write GBK.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _DECLARED.sub("", data[len(bom) :].decode(encoding, "replace"), count=1)
    declared = _ENCODING.match(data[:256])
    if declared and declared[1].lower().startswith((b"gb", b"big5", b"shift", b"euc", b"iso-2022")):
        return _DECLARED.sub("", data.decode(declared[1].decode("ascii")), count=1)
    return data


@dataclass(frozen=True, slots=True)
class Node:
    """An element with the words for what is wrong in it."""

    element: Element
    file_format: str

    @property
    def name(self) -> str:
        return self.element.tag

    def error(self, message: str, section: str | None = None) -> FormatError:
        """A `FormatError` about this element, for the caller to raise."""
        return FormatError(self.file_format, section or self.name, message)

    def first(self, path: str) -> "Node | None":
        found = self.element.find(path)
        return None if found is None else Node(found, self.file_format)

    def each(self, path: str) -> "Iterator[Node]":
        return (Node(found, self.file_format) for found in self.element.iterfind(path))

    def need(self, path: str) -> "Node":
        """The first element at `path`.

        Raises
        ------
        FormatError
            There is none; the error names it.
        """
        found = self.first(path)
        if found is None:
            raise self.error(f"{path} is missing")
        return found

    def text(self, path: str = ".") -> str:
        """Text of the element at `path` on one line; empty where there is none."""
        return " ".join((self.element.findtext(path) or "").split())

    def raw(self, path: str = ".") -> str:
        return self.element.findtext(path) or ""

    def get(self, name: str, path: str = ".") -> str:
        """An attribute of the element at `path`; empty where there is none."""
        found = self.element.find(path)
        return "" if found is None else found.get(name, "").strip()


def numbers(text: str, node: Node) -> NDArray[np.float64]:
    """Numbers set apart by blanks, line breaks or commas.

    Raises
    ------
    FormatError
        Something else stands between them.
    """
    if _INTEGERS.fullmatch(text):  # nearly all are, and NumPy reads these ten times as fast as float() would
        return np.fromstring(text.replace(",", " "), np.int64, sep=" ").astype(np.float64)
    if _NUMBERS.fullmatch(text) is None:
        raise node.error("something that is not a number among the samples")
    try:
        values = np.fromiter(map(float, text.replace(",", " ").split()), np.float64)
    except ValueError:
        raise node.error("something that is not a number among the samples") from None
    if not np.isfinite(values).all():
        raise node.error("a sample that is too large for a number")
    return values


def from_base64(text: str, node: Node) -> bytes:
    """Bytes of base64 that is wrapped over lines and may hold blanks.

    Raises
    ------
    FormatError
        Another character, or a length that is none.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise node.error("not base64") from None


def int16(data: bytes, node: Node) -> NDArray[np.int16]:
    """16-bit little-endian samples.

    Raises
    ------
    FormatError
        An odd number of bytes.
    """
    if len(data) % 2:
        raise node.error(f"{len(data)} bytes are no whole number of 16-bit samples")
    return np.frombuffer(data, "<i2")
