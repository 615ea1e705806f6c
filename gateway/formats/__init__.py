"""EKG files, to and from one `EkgRecording`.

`read_ekg` and `write_ekg` take paths; `parse` takes bytes that somebody else has read. What a file is, is
seen from its content.
"""

from gateway.formats.files import parse, read_ekg, write_ekg
from gateway.formats.leads import with_limb_leads

__all__ = ["parse", "read_ekg", "with_limb_leads", "write_ekg"]
