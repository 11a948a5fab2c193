"""What a step gains where the process keeps freed memory, at a batch of a size that a lab would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from tests.benchmarks.iri.peers import Loop, Peer
from tests.benchmarks.iri.subjects import RESNET18, STAGES, TRAINED, Subject, photographs
from tests.benchmarks.iri.timing import Estimate, estimate, in_turn, ratios
from workers.iri.memory import keep_freed_memory
from workers.iri.responder import Responder

SUBJECTS = RESNET18, TRAINED[0]


@dataclass(frozen=True)
class MemorySetting:
    size: int = 224
    batch: int = 32
    rounds: int = 7


QUICK = MemorySetting(size=32, batch=2, rounds=3)


@dataclass(frozen=True)
class MemoryGain:
    """`gain`: a pass forward to the layer and back, as the C library does by itself over kept memory."""

    network: str
    stage: str
    layer: str
    gain: Estimate
    kept_seconds: Estimate


def memory_gains(
    setting: MemorySetting,
    on_round: Callable[[], None],
    subjects: Sequence[Subject] = SUBJECTS,
    stages: Sequence[str] = STAGES,
) -> list[MemoryGain]:
    """One row a network and stage."""
    return [
        _gain(subject, stage, layer, setting, on_round)
        for subject in subjects
        for stage, layer in zip(STAGES, subject.layers, strict=True)
        if stage in stages
    ]


def _gain(
    subject: Subject, stage: str, layer: str, setting: MemorySetting, on_round: Callable[[], None]
) -> MemoryGain:
    with (
        Peer(pass_loop, subject, layer, setting, False) as plain,
        Peer(pass_loop, subject, layer, setting, True) as kept,
    ):
        seconds = in_turn({"plain": plain.step, "kept": kept.step}, setting.rounds, on_round)
    gain = ratios(seconds["plain"], seconds["kept"])
    return MemoryGain(subject.name, stage, layer, gain, estimate(seconds["kept"]))


def pass_loop(subject: Subject, layer: str, setting: MemorySetting, is_memory_kept: bool) -> Loop:
    """Forward to the layer and backward to the image; photographs are repeated to fill the batch."""
    if is_memory_kept:
        keep_freed_memory()
    responder = Responder(subject.build(), [layer], setting.size, torch.device("cpu"))
    some = photographs(8, setting.size)
    images = some.repeat(-(-setting.batch // len(some)), 1, 1, 1)[: setting.batch]
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        leaf = images.requires_grad_()
        torch.autograd.grad(responder.bare(leaf)[layer].sum(), leaf)

    return Loop(step, list)
