"""The networks: shapes, counts worked out by hand, and what an ablation leaves out."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import nn

from caer_build.caernet.architecture import Architecture, preset
from caer_build.caernet.model import CAERNet
from caer_build.errors import RecipeError

# By hand: five convolutions without bias, 3->32->64->128->256->256, and two numbers a channel of
# their batch normalisations.
PAIRS = 3 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 256
NORMS = 2 * (32 + 64 + 128 + 256 + 256)
ENCODER = {2: 9 * PAIRS + NORMS, 3: 27 * PAIRS + NORMS}
# 256->128 with its norm, then 128->1 with a bias; in the paper's preset with a norm instead.
ATTENTION = {2: 9 * 256 * 128 + 2 * 128 + 9 * 128, 3: 27 * 256 * 128 + 2 * 128 + 27 * 128}
FUSION = 2 * (256 * 128 + 128 + 128 + 1)
ONE, BOTH = 256 * 128 + 128 + 128 * 7 + 7, 512 * 128 + 128 + 128 * 7 + 7


def n_weights(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("n_dims", [2, 3])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, lambda d: 2 * ENCODER[d] + ATTENTION[d] + 1 + FUSION + BOTH),
        ({"streams": "face"}, lambda d: ENCODER[d] + ONE),
        ({"streams": "context"}, lambda d: ENCODER[d] + ATTENTION[d] + 1 + ONE),
        ({"streams": "context", "context_attention": False}, lambda d: ENCODER[d] + ONE),
        ({"context_attention": False}, lambda d: 2 * ENCODER[d] + FUSION + BOTH),
        ({"fusion_attention": False}, lambda d: 2 * ENCODER[d] + ATTENTION[d] + 1 + BOTH),
        ({"logit_activation": True}, lambda d: 2 * ENCODER[d] + ATTENTION[d] + 2 + FUSION + BOTH),
        (
            {"context_widths": (32, 64, 128, 128, 256)},
            lambda d: (
                2 * ENCODER[d]
                + ATTENTION[d]
                + 1
                + FUSION
                + BOTH
                # The fourth and fifth pair, and the norms of the fourth.
                - 3**d * (128 * 256 + 256 * 256 - 128 * 128 - 128 * 256)
                - 2 * (256 - 128)
            ),
        ),
        (
            {"streams": "context", "context_widths": (8, 8, 8, 8, 64)},
            lambda d: (
                3**d * (3 * 8 + 3 * 8 * 8 + 8 * 64)
                + 2 * (4 * 8 + 64)
                # 64->128 with its norm, 128->1 with a bias; then 64->128->7.
                + 3**d * (64 * 128 + 128)
                + 2 * 128
                + 1
                + 64 * 128
                + 128
                + 128 * 7
                + 7
            ),
        ),
        (
            {"context_widths": (32, 64, 128, 256, 64), "context_attention": False},
            lambda d: (
                2 * ENCODER[d]
                - 3**d * 256 * (256 - 64)
                - 2 * (256 - 64)
                + FUSION
                - (256 - 64) * 128
                + BOTH
                - (256 - 64) * 128
            ),
        ),
        # These have no weights.
        *(
            (changes, lambda d: 2 * ENCODER[d] + ATTENTION[d] + 1 + FUSION + BOTH)
            for changes in (
                {"unpooled": 2},
                {"attention_softmax": "clip"},
                {"time_pooling": "max"},
                {"fusion_activation": "tanh"},
                {"fusion_dropout": 0.5},
            )
        ),
    ],
)
def test_the_number_of_weights_is_what_it_is_by_hand(n_dims, changes, expected) -> None:
    net = CAERNet(Architecture(n_dims, **changes))
    assert n_weights(net) == expected(n_dims)


def inputs(n_dims: int, size: int, n: int = 2) -> torch.Tensor:
    shape = (n, 3, 16, size, size) if n_dims == 3 else (n, 3, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize("n_dims", [2, 3])
@pytest.mark.parametrize("name", ["ours", "paper"])
def test_shapes_and_sums(n_dims: int, name: str) -> None:
    net = CAERNet(preset(name, n_dims)).eval()
    with torch.no_grad():
        said = net(inputs(n_dims, 96), inputs(n_dims, 112))
    assert said.logits.shape == (2, 7)
    assert said.attention.shape == ((2, 2, 7, 7) if n_dims == 3 else (2, 7, 7))
    torch.testing.assert_close(said.attention.sum((-2, -1)), torch.ones(said.attention.shape[:-2]))
    assert said.fusion.shape == (2, 2)
    torch.testing.assert_close(said.fusion.sum(1), torch.ones(2))


def test_feature_maps_are_of_the_sizes_that_the_decisions_say() -> None:
    """96 px -> 6x6, 112 -> 7x7, 224 -> 14x14; 16 frames -> 2."""
    still, clip = CAERNet(preset("ours", 2)), CAERNet(preset("ours", 3))
    with torch.no_grad():
        assert still.face(torch.zeros(1, 3, 96, 96)).shape == (1, 256, 6, 6)
        assert still.context(torch.zeros(1, 3, 224, 224)).shape == (1, 256, 14, 14)
        assert clip.context(torch.zeros(1, 3, 16, 112, 112)).shape == (1, 256, 2, 7, 7)
        first_pool = clip.face[:4](torch.zeros(1, 3, 16, 96, 96))
    assert first_pool.shape == (1, 32, 16, 48, 48)


@pytest.mark.parametrize("unpooled", [1, 2, 3, 4, 5])
def test_one_convolution_has_no_pooling_behind_it(unpooled: int) -> None:
    """Whichever it is: the sizes at the end are the same, and the first pooling leaves time."""
    still, clip = (CAERNet(Architecture(d, streams="face", unpooled=unpooled)) for d in (2, 3))
    sides, times = [], []
    with torch.no_grad():
        seen = torch.zeros(1, 3, 16, 96, 96)
        for layer in clip.face:
            seen = layer(seen)
            if isinstance(layer, nn.ReLU):
                sides.append(seen.shape[-1])
                times.append(seen.shape[2])
        assert still.face(torch.zeros(1, 3, 96, 96)).shape == (1, 256, 6, 6)
    halvings = [k for k in range(1, 6) if k != unpooled]
    assert sides == [96 >> sum(k <= n for k in halvings) for n in range(1, 6)]
    assert times == [16 >> max(0, sum(k <= n for k in halvings) - 1) for n in range(1, 6)]


def test_attention_over_the_clip_sums_to_1_over_all_of_it() -> None:
    torch.manual_seed(0)
    net = CAERNet(Architecture(3, streams="context", attention_softmax="clip")).eval()
    with torch.no_grad():
        net.attention[-1].weight.mul_(100)  # untrained, it looks everywhere alike
        said = net(None, inputs(3, 112))
    assert said.attention.shape == (2, 2, 7, 7)
    torch.testing.assert_close(said.attention.sum((1, 2, 3)), torch.ones(2))
    assert (said.attention.sum((2, 3)) - 0.5).abs().max() > 0.02, "the steps share it unevenly"


def test_time_is_pooled_as_it_is_said() -> None:
    """Of two time steps."""
    encoded = torch.rand(2, 256, 2, 7, 7)
    by_hand = encoded.mean((3, 4))
    mean, largest = (
        CAERNet(Architecture(3, "context", time_pooling=how)) for how in ("mean", "max")
    )
    torch.testing.assert_close(mean._averaged(encoded), by_hand.mean(2))
    torch.testing.assert_close(largest._averaged(encoded), by_hand.amax(2))
    even = torch.full((2, 1, 2, 7, 7), 1 / 49)
    torch.testing.assert_close(largest._pooled(encoded, even), by_hand.amax(2))


def test_the_layers_that_weigh_streams_are_as_they_are_said() -> None:
    for name, kind in {"relu": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity}.items():
        layers, _ = CAERNet(Architecture(2, fusion_activation=name)).fusion
        assert [type(layer) for layer in layers] == [nn.Linear, kind, nn.Linear]
    layers, _ = CAERNet(Architecture(2, fusion_dropout=0.25)).fusion
    assert layers[2].p == 0.25


@pytest.mark.parametrize(
    ("n_dims", "softmax", "time"),
    [(2, "step", "mean"), *product([3], ["step", "clip"], ["mean", "max"])],
)
def test_uniform_attention_is_the_plain_mean(n_dims: int, softmax: str, time: str) -> None:
    both = Architecture(n_dims, streams="context", attention_softmax=softmax, time_pooling=time)
    net, plain = CAERNet(both).eval(), CAERNet(replace(both, context_attention=False)).eval()
    plain.load_state_dict(net.state_dict(), strict=False)
    for weights in net.attention[-1].parameters():
        nn.init.zeros_(weights)
    context = inputs(n_dims, 112)
    with torch.no_grad():
        torch.testing.assert_close(net(None, context).logits, plain(None, context).logits)


def test_the_papers_pooling_divides_by_the_positions() -> None:
    ours = Architecture(3, streams="context")
    net = CAERNet(ours).eval()
    literal = CAERNet(replace(ours, attention_pooling="mean")).eval()
    encoded, attention = torch.rand(2, 256, 2, 7, 7), torch.softmax(torch.randn(2, 1, 2, 49), -1)
    attention = attention.view(2, 1, 2, 7, 7)
    torch.testing.assert_close(
        net._pooled(encoded, attention), 49 * literal._pooled(encoded, attention)
    )


def test_the_papers_attention_cannot_go_below_zero() -> None:
    literal = CAERNet(preset("paper", 2)).eval()
    with torch.no_grad():
        assert (literal.attention(torch.randn(1, 256, 7, 7)) >= 0).all()


@pytest.mark.parametrize(
    ("streams", "context", "fusion"),
    list(product(["face", "context", "both"], [True, False], [True, False])),
)
def test_every_ablation_learns_in_every_weight(streams: str, context: bool, fusion: bool) -> None:
    net = CAERNet(
        Architecture(2, streams=streams, context_attention=context, fusion_attention=fusion)
    )
    said = net(
        inputs(2, 96) if streams != "context" else None,
        inputs(2, 112) if streams != "face" else None,
    )
    said.logits.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert (said.attention is not None) == (context and streams != "face")
    assert (said.fusion is not None) == (fusion and streams == "both")


def test_what_cannot_be_built_is_said() -> None:
    for wrong in (
        {"n_dims": 4}, {"streams": "voice"}, {"dropout": 1.0}, {"n_classes": 1}, {"unpooled": 6},
        {"context_widths": (32, 64, 128, 256)}, {"context_widths": (0, 64, 128, 256, 256)},
        {"fusion_dropout": 1.0}, {"time_pooling": "last"},
    ):  # fmt: skip
        with pytest.raises(RecipeError, match="Expected"):
            Architecture(**wrong)
    with pytest.raises(RecipeError, match="ours and paper"):
        preset("theirs", 3)
    with pytest.raises(RecipeError, match="face stream"):
        CAERNet(preset("ours", 2))(None, inputs(2, 112))
