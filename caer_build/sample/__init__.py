"""A sample episode of TV-like material with exact truth, cut from files that come in wheels."""

from caer_build.sample.make import SamplePaths, make_sample

__all__ = ["SamplePaths", "make_sample"]
