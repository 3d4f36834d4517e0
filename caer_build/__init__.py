"""Rebuild the CAER and CAER-S emotion benchmarks from raw TV episodes."""

__version__ = "0.1.0"
