"""IEEE 11073-20601: messages, configurations, reports and the manager's side of an association."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs.phd import apdus
from gateway.codecs.phd import nomenclature as n
from gateway.codecs.phd.association import (
    Associated,
    Association,
    Broken,
    Deadline,
    Described,
    Notice,
    Observed,
    Output,
    Reply,
)
from gateway.codecs.phd.mder import absolute_time, encode_absolute_time, encode_block, u16, u32
from gateway.codecs.phd.objects import STANDARD, standard_configuration
from gateway.codecs.phd.reader import Reader
from gateway.codecs.phd.store import segment_data
from gateway.errors import DecodeError

_AT = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
_SYSTEM_ID = bytes.fromhex("0247415445574159")

# The standard's own examples, as the test vectors of signove/antidote hold them.
ASSOCIATION_02BC = bytes.fromhex(
    "e200003280000000 0001002a50790026 80000000a0008000 0000400000000080"
    "0000000811223344 5566770702bc8480 010100000000"
)
ASSOCIATION_4000 = bytes.fromhex(
    "e200003280000000 0001002a50790026 80000000a0008000 0000000000000080"
    "0000000888776655 4433221140000081 010100000000"
)
CONFIGURATION_4000 = bytes.fromhex(
    "e7000070006e4321 0101006800000000 00000d1c005e4000 0002005800060001"
    "00040024092f0004 0002e1400a460002 f0400996000206c3 0a55000c00020008"
    "0a56000409900008 0006000200040024 092f00040002e14c 0a460002d0420996"
    "000202200a55000c 000200080a560004 09900008"
)
CONFIGURATION_ACCEPTED = bytes.fromhex("e7000016001443210201000e0000000000000d1c000440000000")
REPORT_4000 = bytes.fromhex(
    "e700003a00384321 0101003200000000 00000d1d0028f000 0000000200200001"
    "000cff0002702007 0201121000000002 000cff0001002007 020112100000"
)
REPORT_02BC = bytes.fromhex(
    "e700003e003c0054 0101003600000049 00500d1d002cf000 0000000200240001"
    "0012000300060078 0050006420071206 121000000002000a f258200712061210 0000"
)
DESCRIPTION = bytes.fromhex(
    "e700006c006a0001 0203006400000006 005e0a5a00080001 0004100700010928"
    "0018000a54686543 6f6d70616e79000a 54686542504d2041 42430984000a0008"
    "1122334455667707 0a44000202bc092d 00120001000e0001 0000000844453132"
    "3435363709870008 2007020112050000"
)
RELEASE = bytes.fromhex("e40000020000")
GET_DESCRIPTION = bytes.fromhex("e700000e000c000101030006000000000000")


def data(invoke_id: int, choice: int, body: bytes) -> bytes:
    return apdus.encode_data(invoke_id, choice, body)


def scan(event_type: int, *entries: bytes, handle: int = 0, choice: int = apdus.CONFIRMED_EVENT) -> bytes:
    info = u16(0xF000) + u16(0) + u16(len(entries)) + encode_block(b"".join(entries))
    return data(7, choice, u16(handle) + u32(0xFFFFFFFF) + u16(event_type) + encode_block(info))


def attribute(number: int, value: bytes) -> bytes:
    return u16(number) + encode_block(value)


def variable(handle: int, *attributes: bytes) -> bytes:
    return u16(handle) + u16(len(attributes)) + encode_block(b"".join(attributes))


def configuration(configuration_id: int, *objects: bytes) -> bytes:
    info = u16(configuration_id) + u16(len(objects)) + encode_block(b"".join(objects))
    return data(3, apdus.CONFIRMED_EVENT, u16(0) + u32(0) + u16(n.CONFIGURATION_EVENT) + encode_block(info))


def device_object(kind: int, handle: int, *attributes: bytes) -> bytes:
    return u16(kind) + u16(handle) + u16(len(attributes)) + encode_block(b"".join(attributes))


def said(association: Association, *messages: bytes) -> list[Output]:
    return [output for message in messages for output in association.received(message, _AT)]


def replies(outputs: list[Output]) -> list[bytes]:
    return [output.data for output in outputs if isinstance(output, Reply)]


def numbers(outputs: list[Output]) -> list[str]:
    return [
        str(value.number)
        for output in outputs
        if isinstance(output, Observed)
        for observation in output.observations
        for value in observation.values
    ]


def broken(outputs: list[Output]) -> list[str]:
    return [output.error.code for output in outputs if isinstance(output, Broken)]


def operating() -> Association:
    """With the blood pressure monitor of the standard's example, described."""
    association = Association(_SYSTEM_ID)
    said(association, ASSOCIATION_02BC, DESCRIPTION)
    return association


def test_a_standard_configuration_is_accepted_without_being_sent() -> None:
    answer, get = replies(said(Association(_SYSTEM_ID), ASSOCIATION_02BC))
    assert answer == bytes.fromhex(
        "e300002c0000507900268000000080008000000000000000800000000008"
    ) + _SYSTEM_ID + bytes(10)
    assert get == GET_DESCRIPTION


def test_an_unknown_configuration_is_asked_for_and_accepted_when_it_is_understood() -> None:
    association = Association(_SYSTEM_ID)
    asked = said(association, ASSOCIATION_4000)
    assert replies(asked)[0][:8] == bytes.fromhex("e300002c00035079")
    assert Deadline(10.0) in asked
    accepted, get = replies(said(association, CONFIGURATION_4000))
    assert accepted == CONFIGURATION_ACCEPTED
    assert get == GET_DESCRIPTION
    assert numbers(said(association, REPORT_4000)) == ["62.4", "25.6"]


def test_a_configuration_of_nothing_that_is_understood_is_refused_and_another_waited_for() -> None:
    association = Association(_SYSTEM_ID)
    private = device_object(n.NUMERIC, 1, attribute(n.TYPE, u16(2) + u16(0xF012)))
    said(association, ASSOCIATION_4000)
    (refused,) = replies(said(association, configuration(0x4000, private)))
    assert refused[-4:] == bytes.fromhex("40000001")
    assert len(replies(said(association, CONFIGURATION_4000))) == 2


def test_a_configuration_that_was_sent_before_is_known_when_the_device_begins_anew() -> None:
    association = Association(_SYSTEM_ID)
    said(association, ASSOCIATION_4000, CONFIGURATION_4000)
    again = said(association, ASSOCIATION_4000)
    assert Notice("the device begins anew") in again
    assert replies(again)[0][:6] == bytes.fromhex("e300002c0000")
    assert numbers(said(association, REPORT_4000)) == ["62.4", "25.6"]


def test_no_configuration_in_time_ends_the_association() -> None:
    association = Association(_SYSTEM_ID)
    said(association, ASSOCIATION_4000)
    assert replies(list(association.timed_out())) == [bytes.fromhex("e60000020003")]
    assert broken(said(association, REPORT_4000)) == ["state"]


def test_a_description_says_who_the_device_is_and_what_its_clock_shows() -> None:
    association = Association(_SYSTEM_ID)
    outputs = said(association, ASSOCIATION_02BC, DESCRIPTION)
    (description,) = (output.description for output in outputs if isinstance(output, Described))
    assert (description.vendor, description.model, description.serial) == (
        "TheCompany",
        "TheBPM ABC",
        "DE124567",
    )
    assert description.system_id == bytes.fromhex("1122334455667707")
    assert description.clock == datetime.fromisoformat("2007-02-01T12:05:00")
    assert Associated(bytes.fromhex("1122334455667707")) in outputs


def test_a_compound_value_is_given_in_the_order_of_its_metric_ids() -> None:
    outputs = said(operating(), REPORT_02BC)
    (observed,) = (output for output in outputs if isinstance(output, Observed))
    pressure, pulse = observed.observations
    codes = [(value.code[1], str(value.number)) for value in pressure.values]
    assert codes == [(n.SYSTOLIC, "120"), (n.DIASTOLIC, "80"), (n.MEAN, "100")]
    assert [str(value.number) for value in pulse.values] == ["60.0"]
    assert pressure.taken_at == datetime.fromisoformat("2007-12-06T12:10:00")


def test_a_report_is_confirmed_after_what_it_holds_and_an_unconfirmed_one_is_not() -> None:
    outputs = said(operating(), REPORT_02BC)
    kinds = [type(output) for output in outputs]
    assert kinds == [Observed, Reply]
    assert replies(outputs) == [bytes.fromhex("e7000012001000540201000a0000000000000d1d0000")]
    assert replies(said(operating(), scan(0x0D1D, choice=apdus.EVENT))) == []


def test_a_report_that_does_not_hold_is_rejected_and_one_entry_of_it_is_not_the_whole() -> None:
    lengths_disagree = REPORT_02BC[:0x20] + b"\x00\x03" + REPORT_02BC[0x22:]
    outputs = said(operating(), lengths_disagree)
    assert broken(outputs) == ["length"]
    assert replies(outputs) == [apdus.encode_data(0x54, apdus.REJECT, u16(2))]
    unknown_object = scan(0x0D1D, u16(9) + encode_block(bytes(10)), u16(2) + encode_block(u16(60) + bytes(8)))
    outputs = said(operating(), unknown_object)
    assert (broken(outputs), numbers(outputs), len(replies(outputs))) == (["object"], ["60"], 1)


@pytest.mark.parametrize(
    ("event_type", "entries"),
    [
        (0x0D1D, [u16(2) + encode_block(u16(72) + bytes(8))]),
        (0x0D1E, [variable(2, attribute(n.BASIC_VALUE, u16(72)))]),
        (0x0D1F, [u16(3) + u16(1) + encode_block(u16(2) + encode_block(u16(72) + bytes(8)))]),
        (0x0D20, [u16(3) + u16(1) + encode_block(variable(2, attribute(n.BASIC_VALUE, u16(72))))]),
        (0x0D22, [variable(2, attribute(n.SIMPLE_VALUE, u32(72)))]),
        (0x0D23, [u16(2) + encode_block(u16(72) + bytes(8))]),
        (0x0D25, [u16(3) + u16(1) + encode_block(variable(2, attribute(n.BASIC_VALUE, u16(72))))]),
        (0x0D26, [u16(3) + u16(1) + encode_block(u16(2) + encode_block(u16(72) + bytes(8)))]),
        (
            0x0D28,
            [
                variable(
                    2, attribute(n.OBSERVED_VALUE, u16(n.PULSE_BY_CUFF) + bytes(2) + u16(0x0AA0) + u32(72))
                )
            ],
        ),
        (0x0D29, [u16(2) + encode_block(u16(72) + bytes(8))]),
        (0x0D2B, [u16(3) + u16(1) + encode_block(variable(2, attribute(n.BASIC_VALUE, u16(72))))]),
        (0x0D2C, [u16(3) + u16(1) + encode_block(u16(2) + encode_block(u16(72) + bytes(8)))]),
    ],
)
def test_every_form_of_a_report_gives_the_value(event_type: int, entries: list[bytes]) -> None:
    assert numbers(said(operating(), scan(event_type, *entries))) == ["72"]


@pytest.mark.parametrize("event_type", [0x0D24, 0x0D27, 0x0D2A, 0x0D2D])
def test_a_grouped_report_follows_the_map_of_its_scanner(event_type: int) -> None:
    map_ = u16(2) + encode_block(
        b"".join(u16(handle) + u16(1) + encode_block(u16(n.BASIC_VALUE) + u16(2)) for handle in (10, 1))
    )
    scanner = device_object(n.EPISODIC_SCANNER, 55, attribute(n.SCANNER_MAP, map_))
    numerics = [
        device_object(n.NUMERIC, handle, attribute(n.TYPE, u16(2) + u16(code)), attribute(n.UNIT, u16(unit)))
        for handle, code, unit in ((1, n.SPO2, n.PERCENT), (10, n.PULSE_BY_OXIMETER, n.PER_MINUTE))
    ]
    association = Association(_SYSTEM_ID)
    said(association, ASSOCIATION_4000, configuration(0x4000, *numerics, scanner))
    group = encode_block(u16(72) + u16(98))
    entry = group if event_type in (0x0D24, 0x0D2A) else u16(1) + u16(1) + encode_block(group)
    outputs = said(association, scan(event_type, entry, handle=55))
    (observed,) = (output for output in outputs if isinstance(output, Observed))
    values = {o.values[0].code[1]: str(o.values[0].number) for o in observed.observations}
    assert values == {n.PULSE_BY_OXIMETER: "72", n.SPO2: "98"}


def test_a_unit_that_a_report_states_holds_for_those_that_follow() -> None:
    association = Association(_SYSTEM_ID)
    said(association, ASSOCIATION_02BC.replace(b"\x02\xbc", b"\x03\x20"))
    switched = variable(1, attribute(n.UNIT, u16(0x1140)), attribute(n.BASIC_VALUE, u16(98)))
    following = variable(1, attribute(n.BASIC_VALUE, u16(99)))
    outputs = said(association, scan(0x0D1E, switched), scan(0x0D1E, following))
    units = [o.observations[0].values[0].unit for o in outputs if isinstance(o, Observed)]
    assert units == [0x1140, 0x1140]


def test_a_release_is_answered_and_an_abort_is_not() -> None:
    assert replies(said(operating(), RELEASE)) == [bytes.fromhex("e50000020000")]
    assert replies(said(operating(), bytes.fromhex("e60000020002"))) == []


def test_data_without_an_association_is_aborted() -> None:
    outputs = said(Association(_SYSTEM_ID), REPORT_02BC)
    assert replies(outputs) == [bytes.fromhex("e60000020000")]
    assert broken(outputs) == ["state"]


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        (
            ASSOCIATION_02BC.replace(
                bytes.fromhex("80000000 0001 002a"), bytes.fromhex("40000000 0001 002a")
            ),
            8,
        ),
        (ASSOCIATION_02BC.replace(b"\x50\x79", b"\xff\xff"), 4),
        (ASSOCIATION_02BC.replace(b"\xa0\x00", b"\x20\x00"), 5),
    ],
)
def test_a_device_that_speaks_otherwise_is_refused_with_the_reason(request_: bytes, result: int) -> None:
    outputs = said(Association(_SYSTEM_ID), request_)
    assert replies(outputs)[0][4:6] == u16(result)
    assert broken(outputs) == ["association"]


def test_the_clock_is_set_only_where_it_is_wanted_and_possible() -> None:
    time_information = attribute(n.TIME_INFORMATION, u16(0xC000) + bytes(16))
    settable = data(1, apdus.GET_ANSWER, u16(0) + u16(1) + encode_block(time_information))
    for wanted in (True, False):
        association = Association(_SYSTEM_ID, sets_clock=wanted)
        said(association, ASSOCIATION_02BC)
        sent = replies(said(association, settable))
        assert [each[12:16] for each in sent] == ([u16(0) + u16(n.SET_TIME)] if wanted else [])
        if wanted:
            assert sent[0][18:26] == bytes.fromhex("2026030214100000")
    association = Association(_SYSTEM_ID, sets_clock=True)
    said(association, ASSOCIATION_02BC)
    assert replies(said(association, DESCRIPTION)) == []


def test_no_message_that_the_manager_can_send_clears_a_store() -> None:
    assert n.CLEAR_SEGMENTS not in {n.SEGMENT_INFORMATION, n.SET_TIME, n.DATA_REQUEST, n.TRANSFER_SEGMENT}
    sent = [message for message in _all_that_is_sent() if message[:2] == b"\xe7\x00"]
    assert sent
    assert not [message for message in sent if message[14:16] == u16(n.CLEAR_SEGMENTS)]


def _all_that_is_sent() -> Iterator[bytes]:
    association = Association(_SYSTEM_ID, sets_clock=True)
    store = device_object(n.STORE, 9, attribute(n.SEGMENT_COUNT, u16(1)))
    yield from replies(said(association, ASSOCIATION_4000, configuration(0x4000, store)))
    while outputs := association.timed_out():
        yield from replies(list(outputs))
        if not replies(list(outputs)):
            return


def test_a_segment_event_is_confirmed_with_its_own_index_and_count() -> None:
    info = u16(2) + u32(40) + u32(3) + u16(0x4000) + encode_block(b"abc")
    report = apdus.event_report(
        _data(data(5, apdus.CONFIRMED_EVENT, u16(9) + u32(0) + u16(n.SEGMENT_DATA) + encode_block(info)))
    )
    event = segment_data(report.info)
    assert event.answer(taken=True) == u16(2) + u32(40) + u32(3) + u16(0x0080)
    assert event.answer(taken=False) == u16(2) + u32(40) + u32(3) + u16(0x0008)
    assert event.is_last


@pytest.mark.parametrize("layout", [b"", u16(n.BASIC_VALUE) + u16(2)])
def test_entries_that_do_not_fill_their_bytes_are_refused(layout: bytes) -> None:
    association = Association(_SYSTEM_ID)
    store = device_object(n.STORE, 9, attribute(n.SEGMENT_COUNT, u16(1)))
    said(association, ASSOCIATION_4000, configuration(0x4000, store))
    said(association, data(1, apdus.ERROR, u16(1) + u16(0)))
    values = u16(len(layout) // 4) + encode_block(layout)
    element = u16(n.NUMERIC) + u16(2) + u16(n.GLUCOSE_CAPILLARY_BLOOD) + u16(1) + values
    map_ = u16(0) + u16(1) + encode_block(element)
    segment = u16(0) + u16(1) + encode_block(attribute(n.SEGMENT_MAP, map_))
    listing = u16(9) + u16(n.SEGMENT_INFORMATION) + encode_block(u16(1) + encode_block(segment))
    said(association, data(2, apdus.ACTION_ANSWER, listing))
    info = u16(0) + u32(0) + u32(0xFFFFFFFF) + u16(0xC000) + encode_block(b"")
    event = u16(9) + u32(0) + u16(n.SEGMENT_DATA) + encode_block(info)
    outputs = said(association, data(5, apdus.CONFIRMED_EVENT, event))
    assert broken(outputs) == ["length"]
    assert replies(outputs)[0][-2:] == u16(0x0008)


def _data(apdu: bytes) -> apdus.Data:
    parsed = apdus.parse(apdu)
    assert isinstance(parsed, apdus.Data)
    return parsed


def test_what_no_message_explains_is_read_only_as_the_one_standard_configuration_that_it_is() -> None:
    (observed,) = (output for output in said(Reader(), REPORT_02BC) if isinstance(output, Observed))
    assert observed.assumed == 0x02BC
    assert broken(said(Reader(), REPORT_4000)) == ["configuration"]
    assert broken(said(Reader(), scan(0x0D1D, u16(1) + encode_block(u32(620) + bytes(8))))) == [
        "configuration"
    ]
    assert broken(said(Reader(), ASSOCIATION_4000, REPORT_02BC)) == ["configuration"]


def test_a_reader_names_the_messages_of_a_host() -> None:
    outputs = said(
        Reader(),
        bytes.fromhex(
            "e300002c0003507900268000000080008000000000000000800000000008112233445566778800000000000000000000"
        ),
        GET_DESCRIPTION,
        CONFIGURATION_ACCEPTED,
    )
    assert [output.text for output in outputs if isinstance(output, Notice)] == [
        "association response: accepted, configuration unknown",
        "get",
        "answer to an event report",
    ]


@pytest.mark.parametrize("configuration_id", list(STANDARD))
def test_a_standard_configuration_has_one_layout_for_each_length(configuration_id: int) -> None:
    known = standard_configuration(configuration_id)
    assert known is not None
    for each in known.objects.values():
        sizes = [sum(size for _, size in layout) for layout in each.value_maps]
        assert len(set(sizes)) == len(sizes) > 0


@pytest.mark.parametrize(
    "stamp",
    [
        "0000000000000000",
        "2026023009150000",
        "2026130209150000",
        "20260302091A0000",
        "2026030224000000",
        "2026",
    ],
)
def test_a_stamp_that_is_no_date_and_time_is_none(stamp: str) -> None:
    assert absolute_time(bytes.fromhex(stamp)) is None


@settings(max_examples=100)
@given(st.datetimes(min_value=datetime.fromisoformat("1000-01-01")))
def test_every_time_comes_back_to_the_hundredth(at: datetime) -> None:
    hundredths = at.microsecond // 10_000 * 10_000
    assert absolute_time(encode_absolute_time(at)) == at.replace(microsecond=hundredths)


@settings(max_examples=100)
@given(st.integers(0, 0xFFFF), st.sampled_from(sorted(apdus.CHOICES)), st.binary(max_size=300))
def test_every_operation_comes_back(invoke_id: int, choice: int, body: bytes) -> None:
    parsed = _data(data(invoke_id, choice, body))
    assert (parsed.invoke_id, parsed.choice, parsed.body) == (invoke_id, choice, body)


_CONVERSATION = (
    ASSOCIATION_4000,
    CONFIGURATION_4000,
    DESCRIPTION,
    REPORT_4000,
    ASSOCIATION_02BC,
    REPORT_02BC,
)


@settings(max_examples=300)
@given(st.sampled_from(_CONVERSATION), st.data())
def test_no_damaged_message_makes_the_manager_raise(message: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(message) - 1))
    damaged = message[:at] + bytes((draw.draw(st.integers(0, 255)),)) + message[at + 1 :]
    for association in (Association(_SYSTEM_ID), Reader(), operating()):
        said(association, ASSOCIATION_4000, damaged, damaged[: draw.draw(st.integers(0, len(damaged)))])


@settings(max_examples=200)
@given(st.binary(max_size=120))
def test_no_bytes_make_a_message_raise_anything_else(data_: bytes) -> None:
    with contextlib.suppress(DecodeError):
        apdus.parse(data_)


@settings(max_examples=100)
@given(st.binary(max_size=60), st.lists(st.sampled_from(_CONVERSATION), min_size=1, max_size=4))
def test_whole_messages_are_found_behind_garbage_whatever_the_pieces(
    garbage: bytes, messages: list[bytes]
) -> None:
    stream = bytes(byte for byte in garbage if not 0xE2 <= byte <= 0xE7) + b"".join(messages)
    framer = apdus.framer()
    frames = [frame for at in range(len(stream)) for frame in framer.feed(stream[at : at + 1])]
    whole = [frame.content for frame in (*frames, *framer.flush()) if frame.error is None]
    assert whole[-len(messages) :] == messages
