"""Where the time of an update goes."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile, schedule

TRACE = "trace.json"


class Profile(Callback):
    """Watches `steps` updates after the first `wait_steps`: prints the costliest operations, keeps a trace.

    The first updates are left out because they pay for what is done once: memory is claimed, kernels are chosen.
    """

    def __init__(self, wait_steps: int = 9, steps: int = 10) -> None:
        self.wait_steps, self.steps = wait_steps, steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the count."""
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=self.wait_steps, warmup=1, active=self.steps, repeat=1),
            on_trace_ready=lambda found: self._show(found, Path(trainer.default_root_dir)),
        )
        self._profile.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Count an update."""
        self._profile.step()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop, also where the run was shorter than the watch."""
        self._profile.stop()

    def _show(self, found: profile, folder: Path) -> None:
        on = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        print(found.key_averages().table(sort_by=on, row_limit=15, max_name_column_width=50))
        found.export_chrome_trace(str(folder / TRACE))
