"""Keys of the first release, and their present names."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from heed.errors import UserError

RENAMED = {
    "train": {
        "architecture": "model.hid_dim=… and similar keys",
        "callbacks.board.every_steps": "curve_steps",
        "callbacks.checkpoints.every_steps": "checkpoint_steps",
        "callbacks.early_stop": "early_stop",
        "callbacks.early_stop.patience": "early_stop.patience",
        "callbacks.early_stop.min_delta": "early_stop.min_delta",
        "callbacks.profile": "profile",
        "learning_rate": "schedule",
        "learning_rate.final": "schedule.final",
        "learning_rate.steps": "schedule.steps",
        "learning_rate.warmup_steps": "schedule.warmup_steps",
        "model.att_dim": "model.attention.att_dim",
        "model.heads": "model.attention.heads",
        "model.positions": "model.attention.positions",
        "model.score": "model.attention.score",
        "pictures": "heatmaps",
        "trainer": "device=cuda, or distributed=true",
        "trainer.accelerator": "device",
        "trainer.distributed": "distributed",
        "trainer.matmul_precision": "matmul_precision",
        "trainer.precision": "precision",
    },
    "evaluate": {"sentences": "batch_size"},
    "translate": {
        "alignment": "show_attention",
        "attention": "show_attention",
        "n_best": "search.n_best",
        "sentences": "batch_size",
    },
    "align": {"backward": "reverse", "sentences": "batch_size"},
}
"""For each command: the keys of the first release, and their present names."""


def refuse_renamed(name: str, overrides: Sequence[Override]) -> None:
    """Raise UserError with the new name if a key had another name in an earlier release."""
    for override in overrides:
        if fault := renamed(name, override):
            raise UserError(fault)


def renamed(name: str, override: Override) -> str | None:
    """The message for an override of the command `name` if its key was renamed; None if it was not."""
    now = RENAMED.get(name, {}).get(override.key_or_group)
    return f"{override.input_line}: {override.key_or_group} was renamed; use {now}" if now else None
