"""Machine code of the lasso, loaded while scikit-learn is imported: else the first fit would wait 30 ms for LLVM.

What the cache does not hold is compiled by the first fit that needs it, never here.
"""

import contextlib
import threading

from numopt.drivers import units


def load():
    """Load the units of float64 X; whatever is wrong, the fit that needs them will say."""
    with contextlib.suppress(Exception):
        for name in ("gram", "columns-float64", "rows-float64", "sparse-float64"):
            units.load_cached(f"lasso/{name}")


loading = threading.Thread(target=load, name="numopt-load", daemon=True)
loading.start()
