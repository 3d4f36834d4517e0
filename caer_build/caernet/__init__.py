"""CAER-Net and what it is compared with: reads exported data sets, knows nothing of the build.

At import it needs no more than torch, numpy, pandas, pyarrow, Pillow, OpenCV, scikit-learn,
matplotlib, tqdm, rich and the standard library, so that it runs where only those are.
"""
