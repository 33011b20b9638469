"""An LSTM that squeezes windows through a narrow state and gives them back; what it cannot give back is strange.

After Malhotra et al. 2016 (LSTM encoder-decoder). Needs the extra ``deep``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WIDTH = 16
ROUNDS = 8
BATCH = 128
CLIP = 10.0


def fit_autoencoder(windows: Floats, *, seed: int) -> Callable[[Floats], Floats]:
    """Train on windows, shape ``(n, length)`` or ``(n, length, metrics)``; the answer scores by mean and last error.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "deep", purpose="the LSTM autoencoder") from error
    dice = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        metrics = windows.shape[2] if windows.ndim == 3 else 1
        encoder = torch.nn.LSTM(metrics, WIDTH, batch_first=True)
        decoder = torch.nn.LSTM(WIDTH, WIDTH, batch_first=True)
        out = torch.nn.Linear(WIDTH, metrics)

    def give_back(x: Any) -> Any:  # noqa: ANN401 - tensors of an untyped library
        _, (state, _) = encoder(x)
        again, _ = decoder(state[-1][:, None].expand(-1, x.shape[1], -1))
        return out(again)

    def tensor(rows: Floats) -> Any:  # noqa: ANN401 - same
        return torch.tensor(np.clip(rows, -CLIP, CLIP), dtype=torch.float32).reshape(*rows.shape[:2], -1)

    train = tensor(windows)
    weights = [*encoder.parameters(), *decoder.parameters(), *out.parameters()]
    adam = torch.optim.Adam(weights, 1e-2)
    for _ in range(ROUNDS):
        for some in torch.randperm(len(train), generator=dice).split(BATCH):
            adam.zero_grad()
            ((give_back(train[some]) - train[some]) ** 2).mean().backward()
            adam.step()

    def score(rows: Floats) -> Floats:
        with torch.no_grad():
            parts = [((give_back(x) - x) ** 2).mean(dim=2) for x in tensor(rows).split(4096)]
            errors = torch.cat(parts).double().numpy()
        return np.asarray(errors.mean(axis=1) + errors[:, -1])

    return score
