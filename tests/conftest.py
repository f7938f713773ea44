"""How the tests draw their examples: the same ones in every run, or new ones with `--hypothesis-profile=explore`.

NumPy's products are held to one thread: the tests run in as many processes as there are cores, and threads of several
processes wait for each other.
"""

import os
import sys

import pytest

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

from microgradnet import ops

slow_on_purpose = [HealthCheck.too_slow]  # a busy machine is no reason to fail
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=slow_on_purpose)
settings.register_profile("explore", max_examples=1000, deadline=None, suppress_health_check=slow_on_purpose)
settings.load_profile("steady")


@pytest.fixture
def switching_often():
    """Threads take turns in the middle of a call."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def table():
    """The table of operations, which loses at the end what a test has added."""
    before = dict(ops.TABLE)
    ops.TABLE.pop("erf", None)  # the README's, if it ran before
    yield ops.TABLE
    ops.TABLE.clear()
    ops.TABLE.update(before)
