"""Where networks meet pictures that nobody has looked at yet: faces are found first.

The networks themselves know no detector; this room brings the build's detector and tracker to
them.
"""
