"""Writes docs/explanation/signal-accuracy.md and its drawings from the data: ``make figures``.

Everything is measured in this one run. The layout does not depend on the figures, so that a new run changes
numbers and lines only.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import filters
from benchmarks.delineation.judge import judged, packaged
from benchmarks.electrodes import average_beats, noticed
from benchmarks.figures import drawing
from benchmarks.figures.peers import Run, Score, all_detectors, errors, gross, run
from benchmarks.quality.examples import examples
from benchmarks.quality.fit import cross_validated, left_out, reliability
from benchmarks.r_peaks import Marked, marked_records, stream_ratio
from benchmarks.rhythm import judge
from gateway.signal.beats import LEAST_SCORE

_DOCS = Path(__file__).parents[2] / "docs"
_PAGE, _DRAWINGS = _DOCS / "explanation" / "signal-accuracy.md", _DOCS / "figures"
_OURS, _REFERENCE = "gateway", "sleepecg"
_WORST = 3
_RECORDS_TIMED = 6

_HEAD = """# How accurate the signal core is

<!-- Written by `make figures` (benchmarks/figures); change the code, not this page. -->

Measured in one run of `make figures` on the halves of three PhysioNet databases that the project works
with: 24 records of the MIT-BIH Arrhythmia Database (Moody & Mark, IEEE Eng Med Biol 20(3):45-50, 2001),
the MIT-BIH Noise Stress Test Database (Moody, Muldrow & Mark, Computers in Cardiology 11:381-384, 1984)
and the 100 odd records of the Lobachevsky University Database (Kalyakulina et al., IEEE Access
8:186181-186190, 2020), all under the Open Data Commons Attribution License. What was tuned was tuned on
these records too, so the figures flatter; where a figure is by cross-validation, it says so.
"""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _r_peaks() -> str:
    records, noisy = marked_records("mitdb"), marked_records("nstdb")
    runs: dict[str, tuple[list[Run], list[Run]]] = {}
    for name, detector in all_detectors().items():
        _say(f"R-peaks: {name}")
        runs[name] = [run(detector, each) for each in records], [run(detector, each) for each in noisy]
    reference = sum(each.seconds for each in runs.get(_REFERENCE, runs[_OURS])[0])
    scores = {
        name: Score(
            gross(records, clear, flutter=False),
            gross(records, clear, flutter=True),
            gross(noisy, noise, flutter=False),
            sum(each.found is None for each in (*clear, *noise)),
            sum(each.seconds for each in clear) / reference,
        )
        for name, (clear, noise) in runs.items()
    }
    rows = [
        (
            f"**{name}**" if name == _OURS else name,
            f"{score.without_flutter:.2f}",
            f"{score.with_flutter:.2f}",
            f"{score.under_noise:.2f}",
            f"{score.time_ratio:.1f}",
            str(score.failed or ""),
        )
        for name, score in scores.items()
    ]
    table = _table(
        ("detector", "F1", "with flutter", "noise stress", "CPU time of sleepecg", "records failed"), rows
    )
    return f"""
## R-peaks

F1 in percent over all beats of channel 0, 30 minutes of every record, within 150 ms. Ventricular flutter
is left out, as WFDB's bxb does, and then counted. Every detector runs with its own defaults; a record on
which it raises an error counts as missed.

{table}

{_worst(records, runs[_OURS][0])}"""


def _worst(records: list[Marked], runs: list[Run]) -> str:
    each = [
        (record, one.found, errors(record, one.found, flutter=False))
        for record, one in zip(records, runs, strict=True)
    ]
    drawing.errors_by_record(
        {r.name: (e.missed, e.invented) for r, _, e in each}, _DRAWINGS / "r-peak-errors.svg"
    )
    worst = sorted(each, key=lambda item: -(item[2].missed + item[2].invented))[:_WORST]
    strips = []
    for place, (record, found, wrong) in enumerate(worst, 1):
        if found is None:
            continue
        path = _DRAWINGS / f"worst-record-{place}.svg"
        drawing.strip(record, found, _first_cluster(record, found), path)
        counts = f"{wrong.missed} beats missed, {wrong.invented} invented, of {len(record.beats)}"
        text = f"Record {record.name}: {counts}."
        strips.append(f"{text}\n\n![Record {record.name}](../figures/{path.name})")
    bars = "![Beats missed and invented by record](../figures/r-peak-errors.svg)"
    return "\n\n".join((bars, "Where most goes wrong, eight seconds of the worst records:", *strips)) + "\n"


def _first_cluster(record: Marked, found: np.ndarray) -> int:
    """The eight seconds with most errors."""
    tolerance = 0.15 * record.rate_hz
    alone = [
        these[np.abs(these[:, np.newaxis] - those).min(axis=1) > tolerance]
        for these, those in ((record.beats, found), (found, record.beats))
    ]
    wrong = np.sort(np.concatenate(alone))
    for start, stop in record.flutter:
        wrong = wrong[(wrong < start) | (wrong > stop)]
    if not len(wrong):
        return len(record.ekg_mv) // 2
    half = 3.5 * record.rate_hz
    near = np.searchsorted(wrong, wrong + half) - np.searchsorted(wrong, wrong - half)
    return int(wrong[np.argmax(near)])


def _quality() -> str:
    _say("quality")
    found = examples()
    scores = cross_validated(found)
    bands = reliability(scores, found.right)
    drawing.reliability(bands, _DRAWINGS / "quality-reliability.svg")
    kept, invented, lost, spared = left_out(found, scores, LEAST_SCORE)
    rows = [(f"{score:.2f}", f"{share:.2f}", str(seconds)) for score, share, seconds in bands]
    return f"""
## Quality

The score of a second of a lead is the probability that its R-peaks are right, all of them and no other.
Judged on {len(scores)} seconds, clean and with recorded noise, mains, rails and loose electrodes added,
by fits that did not see the record (six-fold cross-validation over records):

![Reliability of the quality score](../figures/quality-reliability.svg)

{_table(("mean score", "right", "seconds"), rows)}

`measure_ekg` gives no beats in seconds below {LEAST_SCORE}. On these seconds that leaves out {spared}
invented and {lost} right beats, and keeps {kept} right and {invented} invented ones.
"""


def _rhythm() -> str:
    _say("rhythm")
    rows = [
        (
            name,
            f"{tally.right / max(tally.right + tally.missed, 1):.1%}",
            f"{tally.right / max(tally.right + tally.wrong, 1):.1%}",
            str(tally.right),
            str(tally.wrong),
            str(tally.missed),
        )
        for name, tally in judge().items()
    ]
    head = ("finding", "sensitivity", "positive predictivity", "right", "wrong", "missed")
    return f"""
## Rhythm

From channel 0 of MIT-BIH alone, half a minute out of every minute and a half: suspicion of atrial
fibrillation, by half minutes in which one rhythm is annotated throughout (flutter of the atria counts for
neither), and beats said to be like ventricular ones, by beats (V and E).

{_table(head, rows)}
"""


def _electrodes() -> str:
    _say("electrodes")
    beats = average_beats()
    rows = [
        (made or "none", f"{some} of {len(beats)}", f"{right} of {len(beats)}" if made else "")
        for made, (some, right) in noticed(beats).items()
    ]
    return f"""
## Interchanged electrodes

LUDB's records with limb electrodes interchanged by calculation, each judged by a forecast that did not
see it (ten-fold cross-validation):

{_table(("interchanged", "suspected", "named rightly"), rows)}
"""


def _speed() -> str:
    _say("speed")
    named = {"RPeakStream": stream_ratio(marked_records("mitdb")[:_RECORDS_TIMED])}
    named |= {f"EkgFilterStream, {label}": ratio for label, ratio in filters.ratios().items()}
    drawing.ratios(named, 3.0, _DRAWINGS / "stream-cost.svg")
    rows = [(name, f"{ratio:.2f}") for name, ratio in named.items()]
    return f"""
## What a stream costs

Against SciPy's `sosfilt` with state on the same chunks of 20 ms of one lead, both in turn:

![Cost of the streams](../figures/stream-cost.svg)

{_table(("stream", "times sosfilt"), rows)}
"""


def _delineation() -> str:
    _say("delineation")
    judgement = judged(packaged())
    lead_by_lead = [
        (
            wave.upper(),
            f"{tally.f1:.2%}",
            str(tally.missed),
            str(tally.invented),
            *(f"{mean:+.1f} ± {spread:.1f}" for mean, spread in tally.ends_ms()),
        )
        for wave, tally in judgement.tallies.items()
    ]
    together = [
        (interval.upper(), f"{error.mean:+.1f} ± {error.spread:.1f}", str(error.beats), str(error.missed))
        for interval, error in judgement.interval_errors().items()
    ]
    return f"""
## Delineation

P, QRS and T of the 100 LUDB records against the cardiologists' marks. Four nets come with the package, each
trained without another quarter of the records; here each record is delineated by the one net that never saw
it, not by their mean, which the package takes. R-peaks are those that the detector finds. Errors are found
minus marked: mean ± standard deviation, ms.

Lead by lead, a wave is found if its peak lies within 150 ms of a marked one:

{_table(("wave", "F1", "missed", "invented", "onset", "offset"), lead_by_lead)}

All twelve leads together, against what at least six leads mark: from the second earliest onset to the second
latest offset.

{_table(("interval", "error", "beats", "missed"), together)}
"""


def main() -> None:
    _DRAWINGS.mkdir(exist_ok=True)
    parts = (_r_peaks, _quality, _rhythm, _electrodes, _speed, _delineation)
    _PAGE.write_text(_HEAD + "".join(part() for part in parts))
    _say(f"wrote {_PAGE}")


if __name__ == "__main__":
    main()
