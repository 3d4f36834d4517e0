"""Rebuild the CAER and CAER-S emotion benchmarks from raw TV episodes."""

from time import perf_counter

BEGAN_S = perf_counter()
"""When this package was first imported; a command does that before anything that takes time."""
__version__ = "0.1.0"
