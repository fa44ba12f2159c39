"""How many threads sums are made by.

Matrix products of one person are small: on several threads they are no quicker, on busy cores many times
slower, because each thread waits for the others, and the last digits of a sum depend on their number.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy  # noqa: F401  its BLAS must be loaded: only libraries that are loaded by then are limited
import scipy.linalg  # noqa: F401  brings a BLAS of its own
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def one_blas_thread() -> AbstractContextManager[object]:
    """One thread for matrix products in the whole process, from the call to the end of the context."""
    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits
