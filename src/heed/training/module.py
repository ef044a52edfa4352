"""The training step and the validation step of a translation model, for Lightning's Trainer."""

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
    """A model in training. It saves no hyperparameters, so checkpoints can be loaded with `weights_only=True`.

    Everything random in a step (dropout, dropped words, teacher forcing) is a function of (seed, step, rank). So
    checkpoints need no random state, and a run resumed at any step gives the same result.
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
        """The number of parts of a batch that are computed one after the other, to save memory."""
        self.loss = self.gradient_norm = torch.zeros(())
        """The loss of this rank's share in the last update, and the gradient norm before clipping."""
        self.scores: dict[str, float]
        """Scores of the last validation, by metric name."""
        self.preserved: dict[str, float] = {}
        """`Validation.preserved` of the last validation; only on the first rank."""

    def configure_optimizers(self) -> Any:
        """The optimizer, and a scheduler that multiplies its `lr` by a function of the number of updates.

        Weight decay, if the optimizer has it, is applied to matrices, including embeddings, but not to biases and
        gains, which cannot memorise sentences and need not be near zero.
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
        """Seed the random numbers of this update with a function of seed, step and rank."""
        seed = derived_seed(self.seed, self.global_step, self.global_rank)
        # torch.manual_seed would also seed absent devices and format stack traces for them, which takes 2 ms per step.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Mean loss over the tokens of the global batch, and the sums over all processes, for the curves.

        Gradients of all parts except the last are computed here; Lightning then computes those of the returned loss.
        """
        self.trainer.optimizers[0].zero_grad()
        *others, last = in_parts(batch, self.accumulate)
        # parts before the last are divided by this; if no process has such parts, the sums of the last one have it
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
        # Lightning averages gradients over ranks; times the number of ranks, this is the sum of total / global count
        mean = objective * self.trainer.world_size / total.tokens.to(objective)
        self.loss = mean.detach() + self.loss
        return {"loss": mean, "sums": total}

    def optimizer_zero_grad(self, *_: Any) -> None:
        """Do nothing: `training_step` clears the gradients before the first part of a batch."""

    def _objective(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The training loss, summed over the labels, and the five sums of `Sums` for this process."""
        loss, guided, divergence = self._losses(batch)
        parts = [loss.total, loss.nll, loss.count, guided, divergence]
        return loss.total + (guided + divergence), torch.stack(parts).detach()

    def _over_processes(self, sums: Tensor) -> Tensor:
        """Add the sums of all processes, in one message."""
        sums = sums.cpu().double() if sums.device.type == "mps" else sums.double()  # MPS has no float64
        return self.trainer.strategy.reduce(sums, reduce_op="sum") if self.trainer.world_size > 1 else sums

    def _losses(self, batch: Batch) -> tuple[Loss, Tensor, Tensor]:
        """The cross entropy and the losses of guided attention and R-Drop, summed over the labels."""
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
        """Update the weights and at once their moving average, because a checkpoint may follow immediately."""
        super().optimizer_step(*args, **kwargs)
        if isinstance(self.average, AveragedModel):
            self.average.update_parameters(self.model)

    def on_validation_start(self) -> None:
        """Add these weights to the mean of the last validated ones."""
        if isinstance(self.average, MeanOfLast):
            self.average.update_parameters(self.model)

    @property
    def evaluated(self) -> Seq2Seq:
        """The model that is validated and saved: the one with averaged weights, if weights are averaged."""
        return cast(Seq2Seq, self.average.module) if self.average else self.model

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip the gradient norm over all parameters, and store the norm before clipping.

        Raises:
            UserError: the norm is NaN or infinite. The update is not made, because it would make all weights NaN.
        """
        limit = torch.inf if self.clip_norm is None else self.clip_norm
        self.gradient_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        if not torch.isfinite(self.gradient_norm):  # equal on all ranks, and not finite if any loss is not
            refuse(self._breakdown(optimizer.param_groups[0]["lr"]))

    def _breakdown(self, learning_rate: float) -> str:
        """The message for an update with NaN or infinity, with advice."""
        clip = "clip_norm=1.0" if self.clip_norm is None else f"a clip_norm below {self.clip_norm:g}"
        precision = ", precision=float32" if "16" in str(self.trainer.precision) else ""
        return (
            f"training diverged at step {self.global_step + 1:,}: loss {float(self.loss):.4g}, gradient norm "
            f"{float(self.gradient_norm):.4g}, learning rate {learning_rate:.4g}; checkpoints are from earlier steps. "
            f"Try an optim.lr below {self.peak_learning_rate:g}, {clip}{precision}, with run=NAME"
        )

    def on_validation_epoch_start(self) -> None:
        """Clear the sentences of the previous validation."""
        self.validation.clear()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Compute the loss on the references, and translate with greedy search."""
        self.validation.add(self.evaluated, batch)

    def on_validation_epoch_end(self) -> None:
        """Compute the scores over the whole split, with the sentences of all ranks."""
        self.scores = self.validation.scores()
        if self.global_rank == 0:
            self.preserved = self.validation.preserved(self.evaluated)


def derived_seed(seed: int, step: int, rank: int) -> int:
    """A 64-bit seed from three numbers, hashed by NumPy's SeedSequence.

    Seeds of neighbouring steps and ranks are independent, unlike those of seed + step + rank.
    """
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
