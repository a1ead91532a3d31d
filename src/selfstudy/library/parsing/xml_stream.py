"""XML of strangers, read as it comes, in little memory: where elements begin, and end, with their text.

Nothing is expanded and nothing is loaded: a file with a document type is refused, and with it every entity of
its own.  What is longer, or deeper, than anybody writes ends the reading.  It knows nothing of what is in the
elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal
from xml.parsers import expat

from selfstudy.errors import SelfstudyError

BLOCK = 1 << 16
_DEEPEST = 64
_LONGEST_MARKUP = 1 << 22
"""Bytes of a tag or comment: the parser has to hold it at once."""

Event = tuple[Literal["start", "end"], str, str]
"""What begins or ends, its name without a namespace, and at its end the text that is directly in it."""


class XmlError(SelfstudyError):
    """XML that cannot be read."""


class _Reader:
    """Collects what the parser says, between two blocks."""

    def __init__(self, most: int) -> None:
        self.events: list[Event] = []
        self._most = most
        self._texts: list[list[str]] = []
        self._sizes: list[int] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._texts) == _DEEPEST:
            raise XmlError(f"elements within elements, more than {_DEEPEST} deep")
        self.events.append(("start", name.rpartition(":")[2], ""))
        self._texts.append([])
        self._sizes.append(0)

    def end(self, name: str) -> None:
        text = "".join(self._texts.pop())
        self._sizes.pop()
        self.events.append(("end", name.rpartition(":")[2], text))

    def text(self, data: str) -> None:
        if self._texts and self._sizes[-1] <= self._most:
            self._texts[-1].append(data)
            self._sizes[-1] += len(data)

    def document_type(self, *_: object) -> None:
        raise XmlError("it has a document type (<!DOCTYPE ...>), which is not read")


def events(blocks: Iterable[bytes], most: int) -> Iterator[Event]:
    """The elements of a document that comes in blocks of bytes.

    Args:
        most: characters of an element's text; a longer one is cut a little behind, so that it can be told.

    Raises:
        XmlError: it is no XML, or none that is read.
    """
    reader = _Reader(most)
    parser = expat.ParserCreate()  # with namespaces, a long one would be copied for each element
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.document_type
    fed = 0
    try:
        for block in blocks:
            for at in range(0, len(block), BLOCK):
                part = block[at : at + BLOCK]
                parser.Parse(part, False)
                fed += len(part)
                if fed - parser.CurrentByteIndex > _LONGEST_MARKUP:
                    raise XmlError(f"a tag or comment of more than {_LONGEST_MARKUP:,} bytes")
                yield from reader.events
                reader.events.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        yield from reader.events
        raise XmlError(f"no valid XML: {expat.errors.messages[error.code]}, line {error.lineno:,}") from None
    except (ValueError, LookupError):
        raise XmlError("XML in an encoding that is not read: use UTF-8") from None
    yield from reader.events
