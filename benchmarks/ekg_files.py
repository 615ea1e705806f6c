"""EKG files beside the library that one would otherwise read them with, as times of that library's time.

Both read the same file from disk to millivolts, in turn; each figure is the ratio of the shortest times. The
peers read less: no measurements, statements or checks. Files come from `GATEWAY_DATA`.
"""

import importlib
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.formats import read_ekg

_ROUNDS = 9
_DATA = Path(os.environ.get("GATEWAY_DATA", "../shared/data")) / "ekg-files"


def _pydicom(path: Path) -> None:
    pydicom: Any = importlib.import_module("pydicom")
    dataset = pydicom.dcmread(path)
    for group in range(len(dataset.WaveformSequence)):
        dataset.waveform_array(group)


def _wfdb(path: Path) -> None:
    wfdb: Any = importlib.import_module("wfdb")
    wfdb.rdrecord(str(path.with_suffix("")), smooth_frames=False)


def _edfio(path: Path) -> None:
    edfio: Any = importlib.import_module("edfio")
    for signal in edfio.read_edf(path).signals:
        _ = signal.data


def _ecgdatakit(path: Path) -> None:
    ecgdatakit: Any = importlib.import_module("ecgdatakit")
    ecgdatakit.FileParser().parse(str(path))


FILES: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("dicom/10401-pwtc-test1-general.dcm", _pydicom),
    ("dicom/cardiosoft-671-general.dcm", _pydicom),
    ("dicom/eli250-example.dcm", _pydicom),
    ("dicom/muse7-mac-2008-general.dcm", _pydicom),
    ("dicom/pydicom-waveform_ecg.dcm", _pydicom),
    ("wfdb/100.hea", _wfdb),
    ("wfdb/00001_hr.hea", _wfdb),
    ("wfdb/s0010_re.hea", _wfdb),
    ("wfdb/a103l.hea", _wfdb),
    ("wfdb/flacformats.hea", _wfdb),
    ("contec/0000050.ECG.edf", _edfio),
    ("edf/test_subsecond.edf", _edfio),
    ("edf/nk-eeg1200-ecg-channel.edf", _edfio),
    ("scp/eli250-example.scp", _ecgdatakit),
    ("scp/pfe105-redred.scp", _ecgdatakit),
    ("aecg/eli250-example.xml", _ecgdatakit),
    ("muse/muse9-example1.xml", _ecgdatakit),
    ("philips/104-pwtouch-zzdemo.xml", _ecgdatakit),
    ("ishne/ECG_P28.01.ecg", _ecgdatakit),
    ("mfer/nk-cns6000.MWF", _ecgdatakit),
)


def ratio(path: Path, peer: Callable[[Path], None]) -> float:
    """Our time for a file as a multiple of the peer's."""
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(_seconds(lambda: read_ekg(path)))
        theirs.append(_seconds(lambda: peer(path)))
    return min(ours) / min(theirs)


def _seconds(read: Callable[[], object]) -> float:
    start = time.process_time()
    read()
    return time.process_time() - start


def main() -> None:
    if not _DATA.is_dir():
        print(f"  no files in {_DATA}; set GATEWAY_DATA")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, peer in FILES:
            try:
                print(f"  {name}: {ratio(_DATA / name, peer):.2f} times {peer.__name__.strip('_')}")
            except ModuleNotFoundError as missing:
                print(f"  {name}: {missing.name} is not installed (the extra figures brings it)")


if __name__ == "__main__":
    main()
