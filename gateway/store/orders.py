"""Orders, each once by its placer's number, and which readings were filed under them."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.model import Order
from gateway.model.serialised import order_from_row, order_to_row
from gateway.store.times import stamp

OrderState = Literal["active", "held", "completed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order on disk.

    Parameters
    ----------
    id : int
    key : str
    patient_id : str, optional
        None where a message spoke of the order and of no patient.
    order : Order
    is_placed : bool
        The order itself has come; a cancellation of it may come first.
    state : str
    """

    id: int
    key: str
    patient_id: str | None
    order: Order
    is_placed: bool
    state: OrderState

    @property
    def is_ended(self) -> bool:
        """It is not carried out any more, for good."""
        return self.state in ("completed", "withdrawn")


def find(db: sqlite3.Connection, key: str) -> StoredOrder | None:
    row = db.execute("SELECT * FROM service_order WHERE key = ?", (key,)).fetchone()
    return None if row is None else _stored(row)


def keep(
    db: sqlite3.Connection,
    key: str,
    patient_id: str | None,
    order: Order,
    *,
    is_placed: bool,
    state: OrderState,
    due_at: datetime,
) -> None:
    """Write an order as it is now known."""
    db.execute(
        "INSERT INTO service_order (key, patient_id, body, is_placed, state, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " patient_id = excluded.patient_id, body = excluded.body,"
        " is_placed = excluded.is_placed, state = excluded.state, due_at = excluded.due_at",
        (key, patient_id, json.dumps(order_to_row(order)), is_placed, state, stamp(due_at)),
    )


def set_state(db: sqlite3.Connection, order_id: int, state: OrderState) -> None:
    db.execute("UPDATE service_order SET state = ? WHERE id = ?", (state, order_id))


def of_patient(
    db: sqlite3.Connection, patient_id: str, since: datetime, until: datetime
) -> tuple[StoredOrder, ...]:
    """Those that may be carried out and are due within that time, the earliest first."""
    rows = db.execute(
        "SELECT * FROM service_order WHERE patient_id = ? AND is_placed AND state = 'active'"
        " AND due_at BETWEEN ? AND ? ORDER BY due_at, id",
        (patient_id, stamp(since), stamp(until)),
    )
    return tuple(map(_stored, rows))


def kinds_filed(db: sqlite3.Connection, order_id: int) -> frozenset[str]:
    """The kinds of the readings that were filed under the order."""
    rows = db.execute(
        "SELECT DISTINCT json_extract(body, '$.kind') AS kind FROM reading WHERE order_id = ?", (order_id,)
    )
    return frozenset(row["kind"] for row in rows)


def of_reading(db: sqlite3.Connection, reading_id: int) -> StoredOrder | None:
    """The order that the reading was filed under."""
    row = db.execute(
        "SELECT * FROM service_order WHERE id = (SELECT order_id FROM reading WHERE id = ?)", (reading_id,)
    ).fetchone()
    return None if row is None else _stored(row)


def file(db: sqlite3.Connection, reading_id: int, order_id: int | None) -> None:
    """The reading is filed under that order, or under none."""
    db.execute("UPDATE reading SET order_id = ? WHERE id = ?", (order_id, reading_id))


def _stored(row: sqlite3.Row) -> StoredOrder:
    order = order_from_row(json.loads(row["body"]))
    return StoredOrder(row["id"], row["key"], row["patient_id"], order, bool(row["is_placed"]), row["state"])
