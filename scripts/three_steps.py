"""The three steps of attention, with the sizes of the example in the article that heed starts from.

The article is attention注意力机制【对应图的代码讲解】 by 365JHWZGo, December 2021,
https://blog.csdn.net/qq_44833392/article/details/121941547.

Each step is computed twice, by plain operations and by heed's Attn, so that both can be read side by side.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from heed.models.attention import SCORES, Attn

SIZE, POSITIONS, VALUE_SIZE, OUTPUT_SIZE = 32, 32, 64, 64
BARS = "▁▂▃▄▅▆▇█"


class Kind(NamedTuple):
    """The equation of a score, and a function that computes it from its layers' parameters in plain operations."""

    equation: str
    energies: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]


KINDS = {
    "article": Kind("e = W [s; h] + b", lambda s, h, p: torch.cat((s, h[:, 0]), 1) @ p["weight"].T + p["bias"]),
    "additive": Kind(
        "e_j = vᵀ tanh(W s + b + U h_j)",
        lambda s, h, p: (
            torch.tanh(s @ p["query.weight"].T + p["query.bias"] + h @ p["key.weight"].T) @ p["energy.weight"][0]
        ),
    ),
    "general": Kind("e_j = sᵀ W h_j", lambda s, h, p: (h @ p["key.weight"].T @ s.unsqueeze(2)).squeeze(2)),
    "dot": Kind("e_j = sᵀ h_j", lambda s, h, p: (h @ s.unsqueeze(2)).squeeze(2)),
    "scaled_dot": Kind("e_j = sᵀ h_j / √32", lambda s, h, p: (h @ s.unsqueeze(2)).squeeze(2) / SIZE**0.5),
}


class Steps(NamedTuple):
    """The results of the three steps."""

    energies: Tensor
    weights: Tensor
    context: Tensor
    output: Tensor


def example(score: str) -> tuple[Attn, Tensor, Tensor, Tensor]:
    """An untrained Attn with the article's sizes, and Q, K, V of random numbers; always the same ones."""
    torch.manual_seed(0)
    if score == "article":
        attn, keys = Attn(SIZE, SIZE, POSITIONS, VALUE_SIZE, OUTPUT_SIZE), 1
    else:
        settings = {"att_dim": POSITIONS} if score == "additive" else {}
        other = SCORES[score](SIZE, SIZE, **settings)
        attn, keys = Attn(SIZE, SIZE, None, VALUE_SIZE, OUTPUT_SIZE, other), POSITIONS
    attn.requires_grad_(False)
    return attn, torch.randn(1, 1, SIZE), torch.randn(1, keys, SIZE), torch.randn(1, POSITIONS, VALUE_SIZE)


def by_plain_operations(attn: Attn, score: str, q: Tensor, k: Tensor, v: Tensor) -> Steps:
    """The three steps, written out."""
    s = q[0]
    energies = KINDS[score].energies(s, k, dict(attn.get_submodule("attn").named_parameters()))
    weights = energies.exp() / energies.exp().sum()
    context = torch.bmm(weights.unsqueeze(0), v)
    output = torch.cat((s, context[0]), 1) @ attn.attn_combine.weight.T + attn.attn_combine.bias
    return Steps(energies, weights, context, output.unsqueeze(0))


def by_attn(attn: Attn, q: Tensor, k: Tensor, v: Tensor) -> Steps:
    """The same with heed's Attn: the results of calling it as the article does, and what it computes in between."""
    output, weights = attn(q, k, v)
    memory = attn.memory(k, v, torch.ones(v.shape[:2], dtype=torch.bool))
    return Steps(attn.attn(q[:, 0], memory), weights, attn.attend(q[:, 0], memory).context, output)


def bars(weights: Tensor) -> str:
    """One bar a position, the highest for the largest weight."""
    return "".join(BARS[round(float(weight / weights.max()) * (len(BARS) - 1))] for weight in weights)


def numbers(tensor: Tensor) -> str:
    """The first two numbers of a tensor."""
    return "".join(f"{number:7.3f}" for number in tensor.flatten()[:2].tolist()) + " …"


def report(score: str) -> str:
    """The page that the script prints."""
    attn, q, k, v = example(score)
    plain, ours = by_plain_operations(attn, score, q, k, v), by_attn(attn, q, k, v)
    rows = [f"{tuple(one.shape)!s:<11}{numbers(one)}  {numbers(other)}" for one, other in zip(plain, ours, strict=True)]
    difference = max(
        float((one.flatten() - other.flatten()).abs().max()) for one, other in zip(plain, ours, strict=True)
    )
    weights = ours.weights[0]
    top = int(weights.argmax())
    return f"""\
Attention in three steps, with the score '{score}'

   Q  {tuple(q.shape)!s:<13} the decoder's state s
   K  {tuple(k.shape)!s:<13} the encoder's state{" h" if k.size(1) == 1 else "s h_1 … h_32, one for each position"}
   V  {tuple(v.shape)!s:<13} the values v_1 … v_32, one for each position

                                  shape      plain operations  heed's Attn

1  Score and normalise (attn_weights): how much does each position matter?
   {KINDS[score].equation:<31}{rows[0]}
   {"a = softmax(e)":<31}{rows[1]}

   {bars(weights)}   a_1 … a_32; their sum is {float(weights.sum()):.3f}
   1      8       16      24      32   the largest is a_{top + 1} = {float(weights[top]):.3f}

2  Sum (attn_applied): each value times its weight, added up
   {"c = a_1 v_1 + … + a_32 v_32":<31}{rows[2]}

3  Combine (output): query and sum go through one linear layer together
   {"o = W' [s; c] + b'":<31}{rows[3]}

The largest difference between the two columns is {difference:.0e}."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--score", choices=KINDS, default="additive", help="how positions are scored (default: additive, as in heed)"
    )
    print(report(parser.parse_args(arguments).score))


if __name__ == "__main__":
    main()
