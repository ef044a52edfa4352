"""Profile where the time of an update is spent."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile, schedule

from heed.files import replace_whole
from heed.training.reporting import Profiled, Reporter

TRACE, MARK = "trace.json", '{"written_by": "heed",'


class Profile(Callback):
    """Profiles `steps` updates after the first `wait_steps`, reports the most expensive operations and writes a trace.

    The first updates are left out because they include one-time work, such as allocating memory and choosing kernels.
    """

    def __init__(self, reporter: Reporter, wait_steps: int = 9, steps: int = 10) -> None:
        self.reporter, self.wait_steps, self.steps = reporter, wait_steps, steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting."""
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
        replace_whole(folder / TRACE, lambda path: _export(profiled, path))
        self.reporter.profiled(Profiled(table, folder / TRACE))


def _export(profiled: profile, path: Path) -> None:
    """Write the trace, marked as written by heed."""
    profiled.export_chrome_trace(str(path))
    path.write_text(path.read_text(encoding="utf-8").lstrip().replace("{", MARK, 1), encoding="utf-8")
