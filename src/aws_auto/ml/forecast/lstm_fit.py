"""Fitting the LSTM of `aws_auto.ml.forecast.lstm`: torch, one thread, seeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import MissingExtra
from aws_auto.ml.forecast.group import DENSE, WILD, targets
from aws_auto.ml.forecast.lstm import MIDDLE, Inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

HIDDEN = 32
WIDE = 64
#: Windows of all series together that are learned from in an epoch.
MOST_WINDOWS = 20_000
EPOCHS = 20
#: A net that goes on from an earlier one needs fewer.
EPOCHS_ON = 7
BATCH = 256
RATE, RATE_ON = 4e-3, 2e-3


def torch_or_refused() -> Any:  # noqa: ANN401 - a module
    """The module torch.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "deep", purpose="fitting the LSTM") from error
    return torch


def fitted(
    design: Design, *, seed: int, before: Mapping[str, NDArray[np.float32]] | None = None
) -> Mapping[str, NDArray[np.float32]]:
    """The weights of a net that was fitted on the windows of a design whose hours are all known.

    Without such a window they are where fitting begins: about the mean of the simple rules.

    Pinball loss over all levels (Koenker and Bassett 1978), AdamW with one cycle of its rate.

    Raises:
        MissingExtra: torch is not installed.
    """
    torch = torch_or_refused()
    target = targets(design).clip(-WILD, WILD)
    mask = np.isfinite(target).all(axis=-1)
    rng = np.random.default_rng(seed)
    inputs, truth = Inputs.of(design, mask), target[mask].astype(np.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _trained(torch, inputs, truth, rng, before)
    finally:
        torch.set_num_threads(threads)


def _trained(
    torch: Any,  # noqa: ANN401 - a module
    inputs: Inputs,
    truth: NDArray[np.float32],
    rng: np.random.Generator,
    before: Mapping[str, NDArray[np.float32]] | None,
) -> Mapping[str, NDArray[np.float32]]:
    net = net_for(torch, inputs)
    epochs, rate = (EPOCHS_ON, RATE_ON) if before else (EPOCHS, RATE)
    if before:
        net.load_state_dict({name: torch.from_numpy(table.copy()) for name, table in before.items()})
    size = min(len(truth), MOST_WINDOWS)
    if not size:
        return _weights(net)
    batches = -(-size // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * batches, pct_start=0.25)
    level = torch.tensor(DENSE)
    for _ in range(epochs):
        order = rng.permutation(len(truth))[:size]
        for i in range(batches):
            at = order[i * BATCH : (i + 1) * BATCH]
            some = inputs.rows(at)
            error = torch.from_numpy(truth[at])[..., None] - net(some)
            loss = torch.maximum(level * error, (level - 1) * error).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            cycle.step()
    return _weights(net)


def _weights(net: Any) -> Mapping[str, NDArray[np.float32]]:  # noqa: ANN401 - a torch module
    return {name: value.numpy().astype(np.float32) for name, value in net.state_dict().items()}


def net_for(torch: Any, inputs: Inputs) -> Any:  # noqa: ANN401 - a module, a torch module
    """Sequence to state, state and head to the shares of the rules, the correction and the spread."""
    nn = torch.nn
    rules = inputs.rules.shape[-1]

    class Net(nn.Module):  # type: ignore[misc, name-defined]  # torch is imported where it is needed
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(inputs.sequence.shape[-1], HIDDEN, batch_first=True)
            self.first = nn.Linear(HIDDEN + inputs.head.shape[-1], WIDE)
            self.second = nn.Linear(WIDE, WIDE)
            self.last = nn.Linear(WIDE, rules + len(DENSE))
            with torch.no_grad():
                self.last.weight.mul_(0.1)
                self.last.bias[rules:] = -1.5
                self.last.bias[rules + MIDDLE] = 0.0

        def forward(self, given: Inputs) -> Any:  # noqa: ANN401 - a tensor
            sequence, head, simple = (torch.from_numpy(x) for x in (given.sequence, given.head, given.rules))
            state = self.lstm(sequence)[0][:, -1]
            wide = torch.cat([state[:, None].expand(-1, head.shape[1], -1), head], -1)
            wide = nn.functional.silu(self.second(nn.functional.silu(self.first(wide))))
            out = self.last(wide)
            mix, spread = out[..., :rules], out[..., rules:]
            middle = (torch.softmax(mix, -1) * simple).sum(-1) + spread[..., MIDDLE]
            apart = nn.functional.softplus(spread)
            down = torch.cumsum(apart[..., :MIDDLE].flip(-1), -1).flip(-1)
            up = torch.cumsum(apart[..., MIDDLE + 1 :], -1)
            return middle[..., None] + torch.cat([-down, torch.zeros_like(middle)[..., None], up], -1)

    return Net()
