"""The durable store: one SQLite file that holds every accepted reading until the EHR has confirmed it.

:class:`Database` runs functions in transactions; the modules beside it are those functions, one
module a table: ``readings``, ``recordings``, ``patients``, ``encounters``, ``orders``, ``outbox``,
``inbound``, ``journal``, ``audit``. ``durable_files`` is for what lies outside it.
"""

from gateway.store.database import Database

__all__ = ["Database"]
