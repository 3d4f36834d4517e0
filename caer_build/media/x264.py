"""Which of the processor's instructions x264 may use: the same pictures give the same bytes.

With AVX-512, macroblock-tree (``mbtree``) of the x264 in PyAV's wheel reads beyond rows whose
number of macroblocks is not a multiple of 16: what lies there by chance moves quantisers, and now
and then a clip comes out otherwise (seen once in 190 encodings; with ``MALLOC_PERTURB_=3`` in
nearly all widths). With AVX2 it does not, and the bytes are those that clean memory gives. It takes
5 % longer.
"""

from __future__ import annotations

_AVX2, _FMA3 = 11, 12
"""OpenCV's numbers of these features (``cv::CpuFeatures``)"""


def instructions() -> str | None:
    """What x264 is held to, as its parameter ``asm`` says it; None: whatever it finds.

    A processor without AVX2 has no AVX-512 either. Its bytes differ from those of AVX2, so this is
    part of a clip's key.
    """
    import cv2

    has_both = cv2.checkHardwareSupport(_AVX2) and cv2.checkHardwareSupport(_FMA3)
    return "AVX2,FMA3" if has_both else None


def steady() -> dict[str, str]:
    """The options of the encoder ``libx264`` that make its bytes depend on the pictures alone."""
    held = instructions()
    return {} if held is None else {"x264-params": f"asm={held}"}
