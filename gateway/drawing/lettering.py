"""Text that fits: how wide it is, where it breaks, and what of it may stand on a page.

Widths are those of DejaVu Sans Condensed, the font of the PDF; a browser's own font is not wider by much.
"""

import unicodedata
from collections.abc import Iterable, Sequence

_FIRST = " "
_EM_1000 = (
    286, 360, 414, 754, 572, 855, 702, 247, 351, 351, 450, 754, 286, 325, 286, 303, 572, 572, 572, 572,
    572, 572, 572, 572, 572, 572, 303, 303, 754, 754, 754, 478, 900, 615, 617, 628, 693, 568, 518, 697,
    677, 265, 265, 590, 501, 776, 673, 708, 542, 708, 625, 571, 549, 659, 615, 890, 616, 549, 616, 351,
    303, 351, 754, 450, 450, 551, 571, 495, 571, 554, 316, 571, 570, 250, 250, 521, 250, 876, 570, 550,
    571, 571, 370, 469, 353, 570, 532, 736, 532, 532, 472, 572, 303, 572, 754,
)  # fmt: skip
_OTHER_EM_1000, _WIDE_EM_1000 = 650, 1000
JOINERS = "\u200c\u200d"  # Persian and Indic names need them


def code_point(character: str) -> str:
    """A character that cannot be drawn, named: ``‹U+738B›``."""
    return f"‹U+{ord(character):04X}›"


def legible(text: str) -> str:
    """The text as one line, with what would not be seen, or would steer a reader, named by its code point."""
    return "".join(
        code_point(c) if unicodedata.category(c)[0] == "C" and c not in JOINERS else c
        for c in " ".join(text.split())
    )


def width_mm(text: str, size_mm: float) -> float:
    """About how wide a line of text is."""
    return sum(map(_em_1000, text)) * size_mm / 1000


def _em_1000(character: str) -> int:
    place = ord(character) - ord(_FIRST)
    if 0 <= place < len(_EM_1000):
        return _EM_1000[place]
    if unicodedata.combining(character):
        return 0
    return _WIDE_EM_1000 if unicodedata.east_asian_width(character) in "WF" else _OTHER_EM_1000


def wrapped(text: str, size_mm: float, room_mm: float) -> list[str]:
    """The text in lines no wider than the room, broken at blanks, and within a word that alone is wider."""
    found = [""]
    for word in legible(text).split(" "):
        for piece in _pieces(word, size_mm, room_mm):
            longer = f"{found[-1]} {piece}".lstrip()
            if width_mm(longer, size_mm) <= room_mm:
                found[-1] = longer
            else:
                found.append(piece)
    return [line for line in found if line]


def _pieces(word: str, size_mm: float, room_mm: float) -> Iterable[str]:
    piece = ""
    for character in word:
        if piece and width_mm(piece + character, size_mm) > room_mm:
            yield piece
            piece = ""
        piece += character
    yield piece


def fitted(texts: Sequence[str], size_mm: float, room_mm: float, most: int) -> list[str]:
    """Texts one below the other in so many lines; what does not fit is counted in the last."""
    by_text = [wrapped(text, size_mm, room_mm) for text in texts]
    if sum(map(len, by_text)) <= most:
        return [line for each in by_text for line in each]
    found: list[str] = []
    for place, each in enumerate(by_text):
        if len(found) + len(each) > most - 1:
            whole = [*found, *each][: most - 1]
            return [*whole, f"… {len(by_text) - place} not shown in full"]
        found += each
    return found
