"""How near the delineation comes to cardiologists' marks, and how its network was trained.

``main`` judges the network that comes with the package on the records that trained it: an upper bound.
`judge` takes folds and weights, so that each record is judged by a network that never saw it; `train` makes
them.
"""

from benchmarks.delineation.judge import judge_shipped as main

__all__ = ["main"]
