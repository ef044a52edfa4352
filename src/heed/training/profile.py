"""Where the time of an update goes."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile, schedule

from heed.training.reporting import Profiled, Reporter

TRACE = "trace.json"


class Profile(Callback):
    """Profiles `steps` updates after the first `wait_steps`: reports the costliest operations, writes a trace.

    The first updates are left out because they pay for what is done once: memory is claimed, kernels are chosen.
    """

    def __init__(self, reporter: Reporter, wait_steps: int = 9, steps: int = 10) -> None:
        self.reporter, self.wait_steps, self.steps = reporter, wait_steps, steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the count."""
        self._on_gpu = pl_module.device.type == "cuda"
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * self._on_gpu
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=self.wait_steps, warmup=1, active=self.steps, repeat=1),
            on_trace_ready=lambda profiled: self._report(profiled, Path(trainer.default_root_dir)),
        )
        self._profile.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Count an update."""
        self._profile.step()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop, also if the run was shorter than the profile."""
        self._profile.stop()

    def _report(self, profiled: profile, folder: Path) -> None:
        on = "self_device_time_total" if self._on_gpu else "self_cpu_time_total"
        table = profiled.key_averages().table(sort_by=on, row_limit=15, max_name_column_width=50)
        profiled.export_chrome_trace(str(folder / TRACE))
        self.reporter.profiled(Profiled(table, folder / TRACE))
