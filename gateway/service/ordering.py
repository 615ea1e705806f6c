"""Which order a reading carries out, and what a request that comes in makes of an order.

A state that ends an order is never left again, and a change outdoes the order that it changes, so that
messages of one order end in the same state in whatever order they come.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.hl7.answers import Reply
from gateway.hl7.ordered_services import SERVICES
from gateway.hl7.orders import Request
from gateway.model import Order, Reading
from gateway.model.vocabulary import ReadingKind
from gateway.store import encounters, movements, orders
from gateway.store.movements import Said
from gateway.store.orders import OrderState, StoredOrder

_STATUSES: Mapping[OrderState, str] = {"active": "SC", "held": "HD", "completed": "CM", "withdrawn": "CA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """The services that can be carried out here, and for how long an order waits for its reading.

    Parameters
    ----------
    services : mapping of str to frozenset of str
        Kinds of reading by the code that orders them.
    within : timedelta
        How long before or after that a reading may be taken: of when the order is due, or came if later.
    """

    services: Mapping[str, frozenset[ReadingKind]] = field(default_factory=lambda: SERVICES)
    within: timedelta = timedelta(days=1)

    def kinds(self, order: Order) -> frozenset[ReadingKind]:
        """The kinds of reading that carry it out; none where it is not for any device here."""
        return frozenset().union(*(self.services.get(code, ()) for code in order.codes))

    def order_for(
        self, db: sqlite3.Connection, reading: Reading, patient_id: str, moment: datetime
    ) -> StoredOrder | None:
        """The patient's order that the reading carries out.

        One under which no reading of its kind was filed yet goes before others; of those the earliest due,
        of others the latest.
        """
        waiting = orders.of_patient(db, patient_id, moment - self.within, moment + self.within)
        fitting = [stored for stored in waiting if reading.kind in self.kinds(stored.order)]
        unused = [stored for stored in fitting if reading.kind not in orders.kinds_filed(db, stored.id)]
        return unused[0] if unused else fitting[-1] if fitting else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, with what the gateway knows beside it.

    Parameters
    ----------
    request : Request
    key : str
        By which the order is stored.
    patient_id : str, optional
        As known now, whatever identifier the message has.
    said : Said
    stated_at : datetime, optional
        When the request was made, by its sender's clock.
    due_at, at : datetime
        From when on the order waits for its reading, and when the request came.
    """

    request: Request
    key: str
    patient_id: str | None
    said: Said
    stated_at: datetime | None
    due_at: datetime
    at: datetime

    def is_news(self, db: sqlite3.Connection, what: str) -> bool:
        return movements.is_news(db, self.said, f"{what} of order {self.key}")


def carry_out(db: sqlite3.Connection, asked: Asked) -> Reply:
    """Do what is asked of an order, and say what came of it."""
    before = orders.find(db, asked.key)
    state = _state(db, asked, before)
    _keep(db, asked, before, state)
    able = _is_able(db, asked, before)
    if state == "withdrawn":
        encounters.close_of_order(db, asked.key, asked.at)
    control = asked.request.control
    return Reply(
        control.done if able else control.unable,
        asked.request.order,
        _STATUSES[state],
        "" if able else "it was carried out or ended before",
    )


def _state(db: sqlite3.Connection, asked: Asked, before: StoredOrder | None) -> OrderState:
    """The state that the order is in from now on."""
    current = before.state if before else "active"
    match asked.request.control.action:
        case "cancel":
            return "withdrawn"
        case "complete" if current != "withdrawn":
            return "completed"
        case "hold" | "release" as action if not (before and before.is_ended) and asked.is_news(db, "hold"):
            return "held" if action == "hold" else "active"
    return current


def _keep(db: sqlite3.Connection, asked: Asked, before: StoredOrder | None, state: OrderState) -> None:
    """Write the order: as it was, as it is placed, or as it is changed."""
    action = asked.request.control.action
    is_whole = (action == "place" and not (before and before.is_placed)) or (
        action == "change" and asked.is_news(db, "change")
    )
    if before is not None and not is_whole:
        orders.set_state(db, before.id, state)
        return
    orders.keep(
        db,
        asked.key,
        asked.patient_id,
        asked.request.order,
        is_placed=is_whole,
        state=state,
        due_at=asked.due_at,
    )


def _is_able(db: sqlite3.Connection, asked: Asked, before: StoredOrder | None) -> bool:
    """Whether it is not too late for what is asked."""
    if before is None:
        return True
    match asked.request.control.action:
        case "place" | "complete":
            return True
        case "cancel":
            return before.state != "completed" and not orders.kinds_filed(db, before.id)
    return not before.is_ended
