"""One update and one validation of a translation model, as Lightning's Trainer asks for them."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from heed.data.batches import Batch
from heed.metrics.loss import Loss
from heed.models.fast.vocabulary import vocabulary_loss
from heed.models.seq2seq import Seq2Seq
from heed.text.subwords import PAD
from heed.training.averaging import Average, MeanOfLast
from heed.training.guide import Guide
from heed.training.inputs import drop_words, in_parts, twice, words_read
from heed.training.processes import refuse
from heed.training.schedules import Number, Schedule
from heed.training.sums import Sums
from heed.training.validation import Validation


class TranslationModule(LightningModule):
    """A model in training. It keeps no hyperparameters: checkpoints stay loadable with `weights_only=True`.

    What changes from step to step (dropout, words dropped, teacher forcing) is a function of (seed, step, rank), so
    that a checkpoint holds no random state and a run continued anywhere is the run.
    """

    def __init__(
        self,
        model: Seq2Seq,
        optimizer: Callable[[Iterable[dict[str, Any]]], Optimizer],
        learning_rate: Schedule,
        teacher_forcing: Schedule,
        label_smoothing: float,
        clip_norm: float | None,
        validation: Validation,
        seed: int,
        guide: Guide | None = None,
        r_drop: Number = 0.0,
        word_dropout: Number = 0.0,
        average: Average | None = None,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.model, self.optimizer, self.learning_rate = model, optimizer, learning_rate
        self.teacher_forcing, self.label_smoothing, self.clip_norm = teacher_forcing, label_smoothing, clip_norm
        self.validation, self.seed, self.guide = validation, seed, guide
        self.r_drop, self.word_dropout, self.average = float(r_drop), word_dropout, average
        self.accumulate = accumulate
        """Parts of a batch that are computed one after another, for less memory."""
        self.loss = self.gradient_norm = torch.zeros(())
        """Of the last update: the loss of this rank's share, and the norm over all parameters before clipping."""
        self.scores: dict[str, float]
        """Of the last validation, by the names of the metrics."""
        self.preserved: dict[str, float] = {}
        """Of the last validation (`Validation.preserved`); on the first rank alone."""

    def configure_optimizers(self) -> Any:
        """The optimizer, and a learning rate that is its `lr` times a function of the updates done.

        Weight decay, where the optimizer has it, is for matrices, embeddings among them: a bias or a gain is no weight
        that could fit a sentence by heart, and has no reason to be near zero.
        """
        matrices = [parameter for parameter in self.model.parameters() if parameter.dim() > 1]
        vectors = [parameter for parameter in self.model.parameters() if parameter.dim() == 1]
        optimizer = self.optimizer([{"params": matrices}, {"params": vectors, "weight_decay": 0.0}])
        scheduler = LambdaLR(optimizer, self.learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @property
    def peak_learning_rate(self) -> float:
        """The `lr` of the config, which `learning_rate` multiplies."""
        return float(self.trainer.optimizers[0].param_groups[0]["initial_lr"])

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make the random numbers of this update a function of the seed, the step and the rank."""
        seed = derived_seed(self.seed, self.global_step, self.global_rank)
        # torch.manual_seed would also prepare the seeds of absent devices: 2 ms a step, for formatted stack traces.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Mean loss over the tokens of the global batch, and the sums over all processes, for whoever draws curves.

        The gradients of all parts but the last are there already when Lightning asks for those of the loss.
        """
        self.trainer.optimizers[0].zero_grad()
        *others, last = in_parts(batch, self.accumulate)
        # what the parts before the last are divided by; where there are none in any process, the last one's sums tell
        tokens = torch.ones(()) if self.accumulate == 1 else self._over_processes((batch.tgt[:, 1:] != PAD).sum())
        sums, self.loss = list[Tensor](), torch.zeros(())
        for part in others:
            objective, of_part = self._objective(part)
            mean = objective * self.trainer.world_size / tokens.to(objective)
            with torch.autocast(self.device.type, enabled=False):
                mean.backward()
            sums.append(of_part)
            self.loss = mean.detach() + self.loss
        objective, of_part = self._objective(last)
        total = Sums(*self._over_processes(sum(sums, of_part)).unbind())
        # Lightning averages gradients over ranks: times world, that is the sum over ranks of total / global count.
        mean = objective * self.trainer.world_size / total.tokens.to(objective)
        self.loss = mean.detach() + self.loss
        return {"loss": mean, "sums": total}

    def optimizer_zero_grad(self, *_: Any) -> None:
        """Nothing: `training_step` clears the gradients, before those of a batch's first part."""

    def _objective(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is minimised, summed over the labels, and the five sums of `Sums` for this process."""
        loss, guided, divergence = self._losses(batch)
        parts = [loss.total, loss.nll, loss.count, guided, divergence]
        return loss.total + (guided + divergence), torch.stack(parts).detach()

    def _over_processes(self, sums: Tensor) -> Tensor:
        """The sums over all processes, of which each has a part, in one message."""
        sums = sums.cpu().double() if sums.device.type == "mps" else sums.double()  # MPS has no float64
        return self.trainer.strategy.reduce(sums, reduce_op="sum") if self.trainer.world_size > 1 else sums

    def _losses(self, batch: Batch) -> tuple[Loss, Tensor, Tensor]:
        """The cross entropy, and what guided attention and R-Drop add to it, summed over the labels."""
        ratio, read = self.teacher_forcing(self.global_step), batch.tgt[:, :-1]
        if self.r_drop:
            if ratio < 1:
                ratio, read = 1.0, words_read(self.model, batch, ratio)
            batch, read = twice(batch), torch.cat((read, read))
        src, read = (drop_words(tokens, self.word_dropout) for tokens in (batch.src, read))
        readout, weights = self.model.read(src, batch.src_len, read, ratio)
        output = self.model.decoder.output
        sums, divergence = vocabulary_loss(
            readout, output.weight, output.bias, batch.tgt[:, 1:], PAD, self.label_smoothing, self.r_drop
        )
        guided = self.guide.loss(weights, batch) if self.guide else torch.zeros_like(divergence)
        return Loss(*sums), guided / 2 if self.r_drop else guided, divergence

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, and their moving average in the same breath: a checkpoint may come right after."""
        super().optimizer_step(*args, **kwargs)
        if isinstance(self.average, AveragedModel):
            self.average.update_parameters(self.model)

    def on_validation_start(self) -> None:
        """Let these weights into the mean of those validated last."""
        if isinstance(self.average, MeanOfLast):
            self.average.update_parameters(self.model)

    @property
    def evaluated(self) -> Seq2Seq:
        """The model that is validated, and that a run leaves behind: with averaged weights, where they are averaged."""
        return cast(Seq2Seq, self.average.module) if self.average else self.model

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the norm over all parameters, and keep what it was, in one pass.

        UserError where it is not a number: the update, which would leave no weight that is one, is not made.
        """
        limit = torch.inf if self.clip_norm is None else self.clip_norm
        self.gradient_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        if not torch.isfinite(self.gradient_norm):  # the same on all ranks, and never finite where a loss is not
            refuse(self._breakdown(optimizer.param_groups[0]["lr"]))

    def _breakdown(self, learning_rate: float) -> str:
        """One line on an update that cannot be made, and what to try."""
        clip = "clip_norm=1.0" if self.clip_norm is None else f"a clip_norm below {self.clip_norm:g}"
        precision = ", precision=float32" if "16" in str(self.trainer.precision) else ""
        return (
            f"training has broken down at step {self.global_step + 1:,}: loss {float(self.loss):.4g}, gradient norm "
            f"{float(self.gradient_norm):.4g}, learning rate {learning_rate:.4g}; the checkpoints are of steps before. "
            f"Try an optim.lr below {self.peak_learning_rate:g}, {clip}{precision}, with run=NAME"
        )

    def on_validation_epoch_start(self) -> None:
        """Clear the sentences of the previous validation."""
        self.validation.clear()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss on the references, and translations by greedy search."""
        self.validation.add(self.evaluated, batch)

    def on_validation_epoch_end(self) -> None:
        """Scores over the whole split, every rank's sentences together."""
        self.scores = self.validation.scores()
        if self.global_rank == 0:
            self.preserved = self.validation.preserved(self.evaluated)


def derived_seed(seed: int, step: int, rank: int) -> int:
    """One seed, 64 bits, out of three numbers: NumPy's SeedSequence hashes them.

    Seeds of neighbouring steps and ranks have nothing in common, as those of seed + step + rank would.
    """
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
