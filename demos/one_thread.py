"""Imported before NumPy, this holds its products to one thread, unless the environment says otherwise.

The products of a small net gain nothing from threads, and on a busy machine they wait for each other: five times as long.
"""

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
