"""What goes wrong in the simulated account, when, and why: the truth that detectors are scored against.

Time is cut into blocks of three days. Each block holds exactly one incident that begins and ends inside it. The kinds
take turns in an order that the seed draws, so as many consecutive blocks as there are kinds hold each once. Place,
start, length and strength are draws of the block, so any window sees the same incidents.

`SCRIPTS` are the six kinds of the sample account. `EVERY` adds four whose traces only show with facts that the sample
does not tell: which release is live, what shares a host, what was throttled, what lies in which zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from aws_auto.ml.simulate.noise import uniform
from aws_auto.ml.simulate.timeline import SLOTS_PER_DAY, SLOTS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.simulate.noise import Floats

Kind = Literal[
    "memory_leak",
    "cpu_saturation",
    "traffic_surge",
    "dependency_failure",
    "disk_filling",
    "cost_spike",
    "bad_release",
    "throttling",
    "noisy_neighbour",
    "zone_failure",
]

BLOCK = 3 * SLOTS_PER_DAY
_DRAWS = 4


@dataclass(frozen=True)
class Scene:
    """A way in which a kind can happen: where it starts, whom it reaches, how it looks, what busy machine is beside."""

    root: str
    reaches: tuple[str, ...]
    note: str
    beside: str = ""


@dataclass(frozen=True)
class Script:
    """A kind of incident: its scenes, its length in hours (least, most) and the rise of its strength over time."""

    kind: Kind
    hours: tuple[float, float]
    rise: Literal["step", "ramp"]
    scenes: tuple[Scene, ...]


SCRIPTS: tuple[Script, ...] = (
    Script(
        "memory_leak",
        (10, 20),
        "ramp",
        (
            Scene("checkout", ("shop-alb",), "memory of checkout grows until it is restarted; the shop slows down"),
            Scene("search-1", ("shop-alb",), "memory of search-1 grows until it is restarted; the shop slows down"),
        ),
    ),
    Script(
        "cpu_saturation",
        (1.5, 4),
        "step",
        (
            Scene("api-web", ("api-alb",), "a release of api-web spins: every instance is busy whatever the load"),
            Scene("shop-web", ("shop-alb",), "a release of shop-web spins: every instance is busy whatever the load"),
        ),
    ),
    Script(
        "traffic_surge",
        (2, 5),
        "step",
        (
            Scene("shop-alb", ("shop-web", "shop-db-1", "shop-db-2"), "a campaign multiplies the visits of the shop"),
            Scene("api-alb", ("api-web",), "one client of the API multiplies its calls"),
        ),
    ),
    Script(
        "dependency_failure",
        (0.75, 2.5),
        "step",
        (
            Scene("payments", ("checkout", "shop-alb"), "payments answers slowly and with errors; checkout waits"),
            Scene("shop-db-1", ("checkout", "shop-web", "shop-alb"), "shop-db-1 holds locks; its callers wait"),
        ),
    ),
    Script(
        "disk_filling",
        (14, 26),
        "ramp",
        (
            Scene("logs-1", (), "debug logging fills the disk of logs-1 until it is rotated"),
            Scene("logs-2", (), "debug logging fills the disk of logs-2 until it is rotated"),
        ),
    ),
    Script(
        "cost_spike",
        (18, 36),
        "step",
        (
            Scene("order-events", (), "order-events calls itself again and again"),
            Scene("nat-a", (), "a job copies its data through the NAT gateway"),
        ),
    ),
)

EVERY: tuple[Script, ...] = (
    *SCRIPTS,
    Script(
        "bad_release",
        (0.75, 3),
        "step",
        (
            Scene("checkout", ("shop-alb",), "a release of checkout is slow and fails; it is rolled back"),
            Scene("webhooks", ("api-alb",), "a release of webhooks is slow and fails; it is rolled back"),
            Scene("api-web", ("api-alb",), "a release of api-web works harder and fails; it is rolled back"),
        ),
    ),
    Script(
        "throttling",
        (1, 5),
        "step",
        (
            Scene("thumbnails", ("shop-alb",), "thumbnails runs into its concurrency limit; a part of its calls fails"),
            Scene("webhooks", ("api-alb",), "webhooks runs into its concurrency limit; a part of its calls fails"),
        ),
    ),
    Script(
        "noisy_neighbour",
        (1.5, 5),
        "step",
        (
            Scene("search-1", ("shop-alb",), "logs-1 rebuilds its index and takes CPU from search-1", "logs-1"),
            Scene("search-2", ("shop-alb",), "logs-2 rebuilds its index and takes CPU from search-2", "logs-2"),
        ),
    ),
    Script(
        "zone_failure",
        (0.75, 3),
        "step",
        (
            Scene("shop-db-2", ("shop-web", "shop-alb"), "what runs in us-east-1b is cut off"),
            Scene("shop-db-1", ("checkout", "shop-web", "shop-alb"), "what runs in us-east-1a is cut off"),
        ),
    ),
)


@dataclass(frozen=True)
class Incident:
    """One incident, in slots (``first <= slot < end``). ``strength`` lies between 0.8 and 1.25."""

    number: int
    kind: Kind
    scene: Scene
    first: int
    end: int
    strength: float
    rise: Literal["step", "ramp"]

    def shape(self, slot: NDArray[np.int64]) -> Floats:
        """How much of it is felt in each slot: 0 outside; a step rises over 15 minutes, a ramp until the end."""
        since = slot - self.first
        length = self.end - self.first
        full = np.clip((since + 1) / (length if self.rise == "ramp" else 3), 0.0, 1.0)
        return np.where((since >= 0) & (slot < self.end), full * self.strength, 0.0)


def incidents(seed: int, first: int, count: int, scripts: tuple[Script, ...] = SCRIPTS) -> tuple[Incident, ...]:
    """The incidents that touch the slots ``first .. first + count - 1``, in order."""
    blocks = range(first // BLOCK, (first + max(count, 1) - 1) // BLOCK + 1)
    found = (_incident(seed, block, scripts) for block in blocks)
    return tuple(i for i in found if i.end > first and i.first < first + count)


def _incident(seed: int, block: int, scripts: tuple[Script, ...]) -> Incident:
    order = np.argsort(uniform(seed, "incidents/order", 0, len(scripts)))
    script = scripts[int(order[block % len(scripts)])]
    where, length, begin, strength = uniform(seed, "incidents", _DRAWS * block, _DRAWS)
    least, most = script.hours
    slots = int(SLOTS_PER_HOUR * (least + (most - least) * length))
    first = block * BLOCK + int(begin * (BLOCK - slots - SLOTS_PER_HOUR))
    return Incident(
        number=block,
        kind=script.kind,
        scene=script.scenes[int(where * len(script.scenes))],
        first=first,
        end=first + slots,
        strength=float(0.8 + 0.45 * strength),
        rise=script.rise,
    )
