"""How near the delineation comes to cardiologists' marks, and how its nets were trained.

    python -m benchmarks.delineation.train fold0.npz --fold 0 --seed 2     # and 1, 2, 3; ten minutes each
    python -m benchmarks.delineation.judge 0:fold0.npz 1:fold1.npz 2:fold2.npz 3:fold3.npz
    python -m benchmarks.delineation.train gateway/signal/wave_network.npz --join fold?.npz

Each record is judged by the net that never saw it, which is also what the judge does with the package's own
when it is given none. The package takes the mean of the four, of which three have seen any record here and
none has seen any other.
"""
