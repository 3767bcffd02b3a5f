"""Garbage collection, held back where nothing but time would be found."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage while modules are imported, or a folder is read: they make none.

    A start costs a fifth less CPU."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
