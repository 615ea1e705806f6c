"""Report descriptors: what an interface is for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.transports.hid import top_usages


@pytest.mark.parametrize(
    ("descriptor", "usages"),
    [
        ("05 8D 09 20 A1 01 85 03 81 02 C0", {(0x8D, 0x20)}),
        ("05 8D 09 20 A1 01 09 21 A1 02 81 02 C0 C0", {(0x8D, 0x20)}),
        ("0B 20 00 8D 00 A1 01 C0", {(0x8D, 0x20)}),
        ("05 01 09 06 A1 01 C0 05 8D 09 20 A1 01 C0", {(0x01, 0x06), (0x8D, 0x20)}),
        ("05 8D A4 05 01 B4 09 20 A1 01 C0", {(0x8D, 0x20)}),
        ("FE 02 00 05 01 05 8D 09 20 A1 01 C0", {(0x8D, 0x20)}),
        ("05 8D 09 20 81 02 A1 01 C0", {(0, 0)}),
        ("05 8D 09", set()),
    ],
)
def test_the_usage_of_each_top_level_collection_is_found(
    descriptor: str, usages: set[tuple[int, int]]
) -> None:
    assert top_usages(bytes.fromhex(descriptor)) == usages


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_no_descriptor_does_harm(descriptor: bytes) -> None:
    top_usages(descriptor)
