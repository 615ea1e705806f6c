"""How far a device's clock is off, and which of its stamps that holds for.

A device's clock has no zone, drifts, jumps with daylight saving and restarts when the battery was out. What
it shows at the connection, compared with the gateway's clock, says what its stamps mean: whoever measured at
09:04 by a cuff that is ten minutes slow measured at 09:14. The stamp itself stays as the device stated it.

Setting the clock divides its stamps: those of records that were stored before are by the clock that was,
those of measurements since by the clock that was set.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo

_EXACT = timedelta()


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """What one connection has learned of the device's clock.

    Parameters
    ----------
    drift : timedelta, optional
        The device's clock minus the gateway's, positive where it is ahead; None until it was read.
    set_at : datetime, optional
        When it was set, if it was.
    drift_since : timedelta, optional
        The same as `drift`, since then.
    """

    drift: timedelta | None = None
    set_at: datetime | None = None
    drift_since: timedelta | None = None

    def read(self, shown: datetime, at: datetime) -> "DeviceClock":
        """The device's clock showed `shown` when the gateway's showed `at`."""
        drift = _nearest(shown, at)
        return replace(self, drift=drift) if self.set_at is None else replace(self, drift_since=drift)

    def set(self, at: datetime) -> "DeviceClock":
        """The device's clock was set to `at`, which it was by the gateway's."""
        return replace(self, set_at=at, drift_since=_EXACT)

    def drift_of(self, stamp: datetime, at: datetime) -> timedelta | None:
        """How far the clock was off that wrote `stamp`, of a record that came in `at`; None if not known.

        A stamp between the setting and now can be by either clock where the old one was ahead; that it is by
        the new one is likelier by far, and wrong only for records measured while the device was being set.
        """
        if self.set_at is not None and self.set_at <= stamp <= at:
            return self.drift_since
        return self.drift


def at_zone(stated: datetime, zone: tzinfo | None) -> datetime:
    """A time as a device states it, in the zone of its clock if it states none and one is known."""
    return stated.replace(tzinfo=zone) if stated.tzinfo is None and zone is not None else stated


def doubt_of(stated: datetime) -> str | None:
    """Why a device's time in its zone tells no moment: daylight saving makes it twice, or never."""
    first, second = stated.replace(fold=0).utcoffset(), stated.replace(fold=1).utcoffset()
    if first is None or second is None or first == second:
        return None
    when = "occurs twice" if first > second else "does not exist"
    return f"the time that the device states {when} in its zone, by daylight saving"


def in_zone(at: datetime, zone: tzinfo) -> datetime:
    """The same moment with the zone's offset of that moment, so that elapsed time is plain subtraction."""
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return at.astimezone(timezone(offset))


def drift_text(drift: timedelta) -> str:
    """``10 min 3 s behind``: a device's clock as a person would speak of it."""
    seconds = abs(round(drift.total_seconds()))
    parts = (
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    told = " ".join(f"{number} {unit}" for number, unit in parts if number)
    return f"{told} {'ahead' if drift > _EXACT else 'behind'}" if told else "exact"


def _nearest(shown: datetime, at: datetime) -> timedelta:
    """`shown` minus `at`; of an hour that occurs twice, the one that makes less of it."""
    return min((_between(shown.replace(fold=fold), at) for fold in (0, 1)), key=abs)


def _between(shown: datetime, at: datetime) -> timedelta:
    """The plain difference does without the offsets where both have the same zone, and they may differ."""
    by_the_wall = shown.replace(tzinfo=None) - at.replace(tzinfo=None)
    return by_the_wall - ((shown.utcoffset() or _EXACT) - (at.utcoffset() or _EXACT))
