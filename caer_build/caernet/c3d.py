"""C3D's convolutions (Tran et al., ICCV 2015, figure 3), and its Sports-1M weights out of a file.

::

    (B, 3, 16, 112, 112)  conv1 64            pool 1x2x2  ->  16 x 56 x 56
                          conv2 128           pool 2x2x2  ->   8 x 28 x 28
                          conv3a, b 256       pool        ->   4 x 14 x 14
                          conv4a, b 512       pool        ->   2 x  7 x  7
                          conv5a, b 512       pool, padded->   1 x  4 x  4   = 8192 values
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from caer_build.caernet.augment import STD_RGB

N_FEATURES = 8192
_LAYERS = (("conv1", 64), ("conv2", 128), ("conv3a", 256), ("conv3b", 256), ("conv4a", 512),
           ("conv4b", 512), ("conv5a", 512), ("conv5b", 512))  # fmt: skip
LAYER_NAMES = tuple(name for name, _ in _LAYERS)


class C3DFeatures(nn.Module):
    """The convolutions. Their weights are called ``conv1.weight``, ``conv1.bias``, ``conv2.…``,
    ``conv3a.…`` to ``conv5b.…``.

    The network was trained on grey levels less their mean, blue first; it undoes what is done to
    the pictures of all networks here.
    """

    def __init__(self) -> None:
        super().__init__()
        wide = 3
        for name, width in _LAYERS:
            self.add_module(name, nn.Conv3d(wide, width, 3, padding=1))
            wide = width
        pools = [("1", nn.MaxPool3d((1, 2, 2))), *((n, nn.MaxPool3d(2)) for n in "234"),
                 ("5", nn.MaxPool3d(2, padding=(0, 1, 1)))]  # fmt: skip
        self.pools = nn.ModuleDict(OrderedDict(pools))

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, 16, 112, 112) about 0, RGB -> (B, 8192)."""
        spread = clips.new_tensor(STD_RGB).view(1, 3, 1, 1, 1)
        seen = (clips * spread).flip(1)
        for number, name in enumerate(LAYER_NAMES):
            seen = self.get_submodule(name)(seen).relu()
            following = LAYER_NAMES[number + 1 : number + 2]
            # The pool stands behind the last convolution of its number.
            if not following or following[0][4] != name[4]:
                seen = self.pools[name[4]](seen)
        return seen.flatten(1)
