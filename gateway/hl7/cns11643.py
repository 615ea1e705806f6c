"""CNS 11643-1992 as EUC-TW, which Python has no codec for.

Planes 1 and 2 hold the characters of Big5 in nearly the same order: a few runs turn one into the other. A run
is (first position in the plane, first position in Big5, length), a position being row * 94 + cell or
row * 157 + cell, counted from 0. The planes above 2, which no everyday name needs, are refused.

Derived by comparing the EUC-TW table of the GNU C library with Python's Big5 codec, character by character.
"""

from functools import lru_cache

# fmt: off
_PLANE_1 = (
    (0, 0, 5), (6, 6, 8), (15, 15, 6), (21, 23, 2), (24, 22, 1), (29, 29, 44), (73, 74, 1), (74, 73, 1),
    (75, 75, 22), (98, 98, 1), (100, 100, 27), (127, 128, 1), (128, 127, 1), (129, 129, 19), (148, 149, 1),
    (149, 148, 1), (150, 150, 4), (155, 21, 1), (156, 158, 2), (160, 160, 1), (162, 162, 1), (165, 165, 69),
    (282, 234, 29), (312, 264, 1), (314, 266, 142), (470, 6101, 20), (3290, 471, 1412), (4702, 1884, 424),
    (5126, 1883, 1), (5127, 2308, 1876), (7003, 4571, 1), (7004, 4184, 387), (7391, 4572, 525),
    (7916, 5286, 1), (7917, 5097, 105), (8023, 5203, 83), (8106, 5287, 84), (8190, 5517, 1),
    (8191, 5371, 54), (8245, 5426, 1), (8246, 5425, 1), (8247, 5427, 90), (8337, 5518, 354),
)
_PLANE_2 = (
    (0, 6280, 10), (10, 6291, 33), (43, 6372, 1), (44, 6324, 48), (92, 6373, 46), (138, 6586, 1),
    (139, 6419, 167), (306, 6587, 1840), (2146, 9074, 1), (2147, 8428, 108), (2255, 8537, 537),
    (2792, 8427, 1), (2793, 9075, 100), (2893, 8536, 1), (2894, 9175, 399), (3293, 9575, 1637),
    (4930, 11761, 1), (4931, 11212, 146), (5077, 11899, 1), (5078, 11358, 287), (5365, 12508, 1),
    (5366, 11645, 116), (5482, 11762, 137), (5619, 11900, 104), (5723, 12425, 1), (5724, 12004, 222),
    (5946, 12227, 198), (6144, 12426, 82), (6226, 12509, 86), (6312, 12226, 1), (6313, 12595, 8),
    (6321, 12604, 153), (6474, 12758, 56), (6530, 13114, 1), (6531, 12814, 113), (6644, 12603, 1),
    (6645, 12927, 142), (6787, 12757, 1), (6788, 13069, 45), (6833, 13115, 71), (6904, 13380, 1),
    (6905, 13186, 194), (7099, 13381, 490), (7589, 13914, 1), (7590, 13871, 43), (7633, 13915, 1),
    (7634, 13917, 11), (7645, 13916, 1), (7646, 13928, 4),
)
_NOT_IN_BIG5 = (  # position in plane 1, first code point, length
    (5, 0x30FB, 1), (14, 0xFE51, 1), (23, 0xFE32, 1), (154, 0x2016, 1), (158, 0x2215, 1), (159, 0xFE68, 1),
    (161, 0xFFE5, 1), (163, 0xFFE0, 2), (490, 0x2170, 10), (571, 0x4EA0, 1), (578, 0x51AB, 1),
    (583, 0x52F9, 1), (3102, 0x2400, 32), (3134, 0x2421, 1), (8022, 0x5F5E, 1),
)
# fmt: on


def _big5(position: int) -> str:
    row, cell = divmod(position, 157)
    return bytes((0xA1 + row, cell + (0x40 if cell < 63 else 0xA1 - 63))).decode("big5")


def _euc(position: int, prefix: bytes = b"") -> bytes:
    row, cell = divmod(position, 94)
    return prefix + bytes((0xA1 + row, 0xA1 + cell))


@lru_cache(maxsize=1)
def _characters() -> dict[bytes, str]:
    """Every character of two planes by its EUC-TW bytes."""
    table = {
        _euc(first + i, prefix): _big5(big5 + i)
        for prefix, runs in ((b"\x8e\xa2", _PLANE_2), (b"", _PLANE_1))
        for first, big5, length in runs
        for i in range(length)
    }
    return table | {
        _euc(first + i): chr(code + i) for first, code, length in _NOT_IN_BIG5 for i in range(length)
    }


@lru_cache(maxsize=1)
def _codes() -> dict[str, bytes]:
    return {character: code for code, character in _characters().items()}


def _width(lead: int) -> int:
    return 1 if lead < 0x80 else 4 if lead == 0x8E else 2


def decode_euc_tw(data: bytes) -> str:
    """Text of EUC-TW bytes. Raises UnicodeDecodeError at the first that is none."""
    text: list[str] = []
    at = 0
    while at < len(data):
        code = data[at : at + _width(data[at])]
        # Plane 1 has a long form as well.
        character = (
            chr(code[0])
            if len(code) == 1 and code.isascii()
            else _characters().get(code.removeprefix(b"\x8e\xa1"))
        )
        if character is None:
            raise UnicodeDecodeError("euc_tw", data, at, at + 1, "not in planes 1 and 2 of CNS 11643")
        text.append(character)
        at += len(code)
    return "".join(text)


def encode_euc_tw(text: str) -> bytes:
    """EUC-TW bytes of a text. Raises UnicodeEncodeError at the first character without a code."""
    codes: list[bytes] = []
    for at, character in enumerate(text):
        code = character.encode() if character.isascii() else _codes().get(character)
        if code is None:
            raise UnicodeEncodeError("euc_tw", text, at, at + 1, "not in planes 1 and 2 of CNS 11643")
        codes.append(code)
    return b"".join(codes)
