"""Is it in millivolts? Judged by the QRS alone, which an offset or drift does not touch."""

_SMALLEST_QRS_MV = 0.008
_LARGEST_QRS_MV = 60.0


def check_unit(qrs_mv: float) -> None:
    """Refuse an EKG whose QRS cannot be in mV.

    A QRS is 0.1 mV (a small limb lead) to 5 mV high; a tenth to ten times that is accepted as mV, for
    gains set wrong are common. What lies beyond is not scaled, since the unit would be a guess.

    Parameters
    ----------
    qrs_mv : float
        Height of a usual QRS, peak to peak.

    Raises
    ------
    ValueError
        Names the unit that the numbers probably are in.
    """
    if qrs_mv < _SMALLEST_QRS_MV:
        raise ValueError(f"QRS of {qrs_mv:.2g} mV: the numbers are probably volts (V); multiply them by 1000")
    if qrs_mv > _LARGEST_QRS_MV:
        raise ValueError(
            f"QRS of {qrs_mv:.4g} mV: the numbers are probably microvolts (µV) or converter counts; "
            "divide them by 1000, or by the converter's counts per mV"
        )
