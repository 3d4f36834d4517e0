"""Runs as ``caer train`` leaves them, of networks that have learnt nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from caer_build.caernet import checkpoint, networks
from caer_build.caernet.framestore import StoreSettings
from caer_build.caernet.train import Plan

SMALL = StoreSettings(face_px=32, context_width=43, context_height=32)


def fresh_run(
    folder: Path, model: str = "caer-net", store: StoreSettings = SMALL, crop: int = 32
) -> Path:
    """A run whose best epoch has the weights with which training begins; always the same."""
    preset = networks.preset(model, "ours")
    plan = Plan(preset.architecture, preset.regime, replace(preset.augmentation, crop=crop))
    torch.manual_seed(1)
    network = networks.build(preset.architecture)
    folder.mkdir(parents=True)
    checkpoint.save_weights(folder / checkpoint.BEST, network, 1)
    facts = {"plan": plan.described(), "store": store.described(), "best": 1, "epochs": [],
             "preset": "ours"}  # fmt: skip
    checkpoint.write_run(folder, facts)
    return folder
