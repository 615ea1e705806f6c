"""Raw values stay until the readings made of them are stored, in the order in which they came."""

from datetime import UTC, datetime

from gateway.store import Database, journal

AT = datetime(2026, 3, 2, 14, 14, 5, tzinfo=UTC)


def test_values_come_back_in_order_for_their_own_device(database: Database):
    for source, data in (("cuff-1", b"\x01"), ("cuff-2", b"\x02"), ("cuff-1", b"\x03")):
        database.do(lambda db, s=source, d=data: journal.keep(db, s, "2A35", d, AT))  # type: ignore[misc] # lambda default
    rows = database.do(lambda db: journal.rows(db, "cuff-1"))
    assert [(row.channel, row.data, row.at) for row in rows] == [("2A35", b"\x01", AT), ("2A35", b"\x03", AT)]


def test_a_value_remembers_which_device_sent_it(database: Database):
    database.do(lambda db: journal.keep(db, "cuff-1", "2A35", b"\x01", AT, device_id="F0:F1:F2:F3:F4:01"))
    (row,) = database.do(lambda db: journal.rows(db, "cuff-1"))
    assert row.device_id == "F0:F1:F2:F3:F4:01"


def test_a_dropped_value_is_gone(database: Database):
    row_id = database.do(lambda db: journal.keep(db, "cuff-1", "2A35", b"\x01", AT))
    database.do(lambda db: journal.drop(db, row_id))
    assert database.do(lambda db: journal.rows(db, "cuff-1")) == ()
