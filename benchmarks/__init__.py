"""Speed, measured side by side in one run. A module here has a ``main`` that prints its figures."""
