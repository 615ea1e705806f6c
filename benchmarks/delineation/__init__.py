"""How near the delineation comes to cardiologists' marks, and how its nets were trained.

    python -m benchmarks.delineation.train fold0.npz --fold 0     # and 1, 2, 3; ten minutes each on one core
    python -m benchmarks.delineation.judge 0:fold0.npz 1:fold1.npz 2:fold2.npz 3:fold3.npz
    python -m benchmarks.delineation.train gateway/signal/wave_network.npz --join fold?.npz

Each record is judged by the net that never saw it. The package's nets are these four together, of which three
have seen any record here and none has seen any other.
"""
