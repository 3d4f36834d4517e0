"""Looking for leaks and faults in a data set, ours or anybody's.

::

    items --ids----------------> the same person, clip, frames in two splits
          --files--> pictures --> the same file, the same picture; files that cannot be read
          --boxes--------------> faces at the same places in train and test
"""
