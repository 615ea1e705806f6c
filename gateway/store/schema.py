"""The tables, as a list of migrations: a database at version n has had the first n of them."""

import secrets
import sqlite3

from gateway.errors import StoreError

_NAME_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
MIGRATIONS = (
    """
    CREATE TABLE installation (
        id           INTEGER PRIMARY KEY CHECK (id = 1),
        name         TEXT NOT NULL,           -- first part of every control id, unique to this database
        last_control INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE encounter (
        id           INTEGER PRIMARY KEY,
        room         TEXT NOT NULL,
        patient_id   TEXT NOT NULL,
        body         TEXT NOT NULL,
        opened_at    TEXT NOT NULL,
        closed_at    TEXT
    ) STRICT;
    CREATE UNIQUE INDEX one_open_encounter_a_room ON encounter (room) WHERE closed_at IS NULL;

    CREATE TABLE reading (
        id           INTEGER PRIMARY KEY,
        key          TEXT NOT NULL UNIQUE,    -- the same record delivered again has the same key
        source       TEXT NOT NULL,           -- the device's name in the configuration
        body         TEXT NOT NULL,
        raw          BLOB NOT NULL,
        encounter_id INTEGER REFERENCES encounter,
        held         TEXT,                    -- why it waits for a person, while it does
        accepted_at  TEXT NOT NULL
    ) STRICT;
    CREATE INDEX held_readings ON reading (id) WHERE held IS NOT NULL;

    CREATE TABLE message (
        id           INTEGER PRIMARY KEY,
        destination  TEXT NOT NULL,
        reading_id   INTEGER NOT NULL REFERENCES reading,
        control_id   TEXT NOT NULL UNIQUE,
        stream       TEXT NOT NULL,           -- patient and device, within which order holds
        body         BLOB NOT NULL,
        state        TEXT NOT NULL CHECK (state IN ('pending', 'parked', 'acknowledged', 'discarded')),
        attempts     INTEGER NOT NULL DEFAULT 0,
        not_before   TEXT,
        reason       TEXT NOT NULL DEFAULT '',
        created_at   TEXT NOT NULL,
        settled_at   TEXT
    ) STRICT;
    CREATE INDEX unsettled_messages ON message (destination, id) WHERE state IN ('pending', 'parked');

    CREATE TABLE attempt (
        id           INTEGER PRIMARY KEY,
        message_id   INTEGER NOT NULL REFERENCES message,
        at           TEXT NOT NULL,
        outcome      TEXT NOT NULL,
        detail       TEXT NOT NULL
    ) STRICT;
    CREATE INDEX attempts_of_a_message ON attempt (message_id);

    CREATE TABLE inbound (
        sender       TEXT NOT NULL,
        control_id   TEXT NOT NULL,
        digest       BLOB NOT NULL,
        body         BLOB NOT NULL,
        answer       BLOB NOT NULL,
        received_at  TEXT NOT NULL,
        PRIMARY KEY (sender, control_id, digest)
    ) STRICT;

    CREATE TABLE journal (
        id           INTEGER PRIMARY KEY,
        source       TEXT NOT NULL,
        channel      TEXT NOT NULL,
        data         BLOB NOT NULL,
        at           TEXT NOT NULL
    ) STRICT;

    CREATE TABLE audit (
        seq          INTEGER PRIMARY KEY,
        at           TEXT NOT NULL,
        actor        TEXT NOT NULL,
        action       TEXT NOT NULL,
        subject      TEXT NOT NULL,
        digest       TEXT NOT NULL            -- over this row and the digest before it
    ) STRICT;
    """,
    """
    -- Set before the first byte goes out: from then on the EHR may have it.
    ALTER TABLE message ADD COLUMN begun_at TEXT;
    -- 0 once taken back, and in what takes back.
    ALTER TABLE message ADD COLUMN stands INTEGER NOT NULL DEFAULT 1;
    -- Why a person took it back.
    ALTER TABLE reading ADD COLUMN withdrawn TEXT;
    -- Which of the messages there are had begun, nobody has noted.
    UPDATE message SET begun_at = created_at;
    """,
    """
    CREATE TABLE movement (
        clock        TEXT NOT NULL,           -- whose times these are: two senders' are never compared
        subject      TEXT NOT NULL,           -- a patient or a room
        stated_at    TEXT NOT NULL,           -- of the latest that was said of it
        PRIMARY KEY (clock, subject)
    ) STRICT;
    """,
    """
    CREATE TABLE patient (
        id           TEXT PRIMARY KEY,        -- as results are filed
        body         TEXT NOT NULL            -- the latest particulars
    ) STRICT;
    INSERT INTO patient SELECT patient_id, json_extract(body, '$.patient') FROM encounter
        WHERE id IN (SELECT MAX(id) FROM encounter GROUP BY patient_id);

    CREATE TABLE retired (
        id           TEXT PRIMARY KEY,        -- an identifier that was given up
        survivor     TEXT NOT NULL,
        clock        TEXT NOT NULL,
        stated_at    TEXT
    ) STRICT;

    CREATE TABLE service_order (
        id           INTEGER PRIMARY KEY,
        key          TEXT NOT NULL UNIQUE,    -- the placer's number, with its sender where it names no placer
        patient_id   TEXT,
        body         TEXT NOT NULL,
        is_placed    INTEGER NOT NULL,        -- 0 while only a later message has spoken of it
        state        TEXT NOT NULL CHECK (state IN ('active', 'held', 'completed', 'withdrawn')),
        due_at       TEXT NOT NULL            -- from when on it waits for its reading
    ) STRICT;
    CREATE INDEX orders_of_a_patient ON service_order (patient_id);

    -- The order that a reading was filed under: its corrections name the same.
    ALTER TABLE reading ADD COLUMN order_id INTEGER REFERENCES service_order;
    CREATE INDEX readings_of_an_order ON reading (order_id) WHERE order_id IS NOT NULL;
    -- A second answer to the same message: the application's, after the commit accept.
    ALTER TABLE inbound ADD COLUMN response BLOB;
    """,
    """
    CREATE TABLE recording (
        reading_id   INTEGER PRIMARY KEY REFERENCES reading,
        data         BLOB NOT NULL            -- of an EKG, without loss
    ) STRICT;
    """,
    """
    -- Which device sent it, as the link knew it: what is read of it later names the device all the same.
    ALTER TABLE journal ADD COLUMN device_id TEXT;
    """,
    """
    CREATE TABLE association (
        device       TEXT NOT NULL,           -- one of its identifiers, a row for each
        instance     TEXT NOT NULL,           -- the same in all that is said of one association
        is_end       INTEGER NOT NULL,
        encounter_id INTEGER NOT NULL REFERENCES encounter,
        at           TEXT NOT NULL,           -- when it began or ended
        PRIMARY KEY (device, instance, is_end)
    ) STRICT;
    CREATE INDEX associations_by_instance ON association (instance);
    CREATE INDEX readings_of_a_device ON reading (source, id);
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest version, each step whole or not at all.

    Raises
    ------
    StoreError
        The database is newer than this program.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"database version {version} is newer than this program's {len(MIGRATIONS)}; update the program"
        )
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    if connection.execute("SELECT 1 FROM installation").fetchone() is None:
        connection.execute(
            "INSERT INTO installation (id, name, last_control) VALUES (1, ?, 0) ON CONFLICT DO NOTHING",
            (_new_name(),),
        )


def _new_name() -> str:
    """Eight characters that no other installation has: two databases must never make one control id."""
    return "G" + "".join(secrets.choice(_NAME_LETTERS) for _ in range(7))
