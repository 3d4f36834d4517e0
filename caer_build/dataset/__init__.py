"""Votes and clips become a benchmark: labels, splits, stills, exports and their audit."""
