"""EKG files, to and from one `EkgRecording`.

`read_ekg` and `write_ekg` take paths; `parse` takes bytes that somebody else has read. What a file is, is
seen from its content; what it becomes, by its suffix. `losses` says beforehand what a format cannot hold.
"""

from gateway.formats.conversion import losses, write_ekg
from gateway.formats.files import parse, read_ekg
from gateway.formats.leads import with_limb_leads
from gateway.formats.loss import Loss

__all__ = ["Loss", "losses", "parse", "read_ekg", "with_limb_leads", "write_ekg"]
