"""The LSTM as the specification reads at first sight, as a baseline: min-max by series, 24 values in, 4 out, MSE.

The forecaster of the project keeps its sequence length and horizon and changes the rest; see ml/forecast/lstm.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

SEQUENCE, HORIZON, HIDDEN = 24, 4, 64
EPOCHS, BATCH, RATE = 8, 512, 2e-3
MOST_WINDOWS = 40_000
#: Residuals that make the interval, as for the seasonal naive.
RECENT = 672


class Documented:
    """Fitted once on all series; intervals are the quantiles of each series' own residuals."""

    def fit(self, history: pd.DataFrame) -> None:
        """Train on every window of every series."""
        import torch

        torch.manual_seed(0)
        self.torch: Any = torch
        past = {str(name): rows.y.to_numpy(float) for name, rows in history.groupby("unique_id")}
        self.ends = {name: (y.min(), max(float(np.ptp(y)), 1e-9)) for name, y in past.items()}
        parts = {name: self._windows(name, y) for name, y in past.items()}
        X, Y = (np.concatenate([part[i] for part in parts.values()]) for i in (0, 1))
        self.lstm = torch.nn.LSTM(1, HIDDEN, batch_first=True)
        self.head = torch.nn.Linear(HIDDEN, HORIZON)
        optimiser = torch.optim.Adam([*self.lstm.parameters(), *self.head.parameters()], RATE)
        rng = np.random.default_rng(0)
        for _ in range(EPOCHS):
            order = rng.permutation(len(X))[:MOST_WINDOWS]
            for at in np.array_split(order, -(-len(order) // BATCH)):
                loss = torch.nn.functional.mse_loss(self._said(X[at]), torch.from_numpy(Y[at]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            self.errors = {n: y[-RECENT:] - self._said(x[-RECENT:]).numpy() for n, (x, y) in parts.items()}

    def __call__(self, history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        """Quantiles of the next hours of each series."""
        assert horizon == HORIZON
        out = {}
        for name, rows in history.groupby("unique_id"):
            low, span = self.ends[str(name)]
            window = ((rows.y.to_numpy(float)[-SEQUENCE:] - low) / span).astype(np.float32)
            with self.torch.no_grad():
                middle = self._said(window[None])[0].numpy()
            said = middle[:, None] + np.quantile(self.errors[str(name)], levels, axis=0).T
            out[str(name)] = low + span * said
        return out

    def _windows(self, name: str, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low, span = self.ends[name]
        scaled = ((y - low) / span).astype(np.float32)
        all_of = np.lib.stride_tricks.sliding_window_view(scaled, SEQUENCE + HORIZON)
        return all_of[:, :SEQUENCE].copy(), all_of[:, SEQUENCE:].copy()

    def _said(self, windows: np.ndarray) -> Any:  # noqa: ANN401 - a tensor
        return self.head(self.lstm(self.torch.from_numpy(windows)[..., None])[0][:, -1])
