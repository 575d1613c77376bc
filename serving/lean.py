"""What a worker leaves out, or puts off, so that it starts soon: imports, and collecting what is no garbage."""

from __future__ import annotations

import gc
import importlib
import sys

# LightGBM's wrappers import these where they are installed, which costs a worker 1.9 s and 80 MB (2.1 s against
# 0.2 s, measured); the service only ever uses `lightgbm.Booster`, which works without them.
UNUSED = ("sklearn", "pandas", "dask", "matplotlib", "graphviz")


def import_lightgbm_alone() -> None:
    """Import LightGBM as if scikit-learn and pandas were not installed; they stay importable afterwards."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        importlib.import_module("lightgbm")
    finally:
        for name in hidden:
            del sys.modules[name]


def collect_later() -> None:
    """Look for no garbage until `settle_memory`: what is imported and loaded stays, and looking costs 0.2 s."""
    gc.disable()


def settle_memory() -> None:
    """Take what was loaded out of the collector's sight: at 8 callers p99 fell from 118 ms to 9.

    What became garbage until then stays: a start leaves some 9,000 small objects, a megabyte, and takes .2 s to find
    them on a slow machine. Whoever has let go of something large collects before.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    gc.enable()
