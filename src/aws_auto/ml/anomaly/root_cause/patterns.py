"""Known patterns as data: what must be seen, what supports it, what speaks against it.

A sign asks one question of the suspected resource's metrics (any of the named stems), or reads one fact of the scene.
To add a pattern is to add a row here, and its actions in `actions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["rises", "falls", "steady", "climbs", "full", "leaps", "drains"]
Fact = Literal["below", "alone", "released", "capped", "neighbour", "zone"]


@dataclass(frozen=True)
class Sign:
    """One question with an answer between 0 and 1.

    Attributes:
        says: what it means when it holds, as a clause.
        metrics: stems; the strongest answer of those that are there counts.
        how: rises and falls (unusually), steady (usual), climbs (rises all along), full (near 100 per cent), leaps
            (more than doubles), drains (falls to nothing).
        fact: instead of metrics, a fact of the scene.
    """

    says: str
    metrics: tuple[str, ...] = ()
    how: How = "rises"
    fact: Fact | None = None


@dataclass(frozen=True)
class Pattern:
    """Name, title, and the signs: all of ``needs`` must hold; the worst of ``opposes`` counts."""

    name: str
    title: str
    needs: tuple[Sign, ...]
    supports: tuple[Sign, ...]
    opposes: tuple[Sign, ...]


_DEMAND = ("request_count", "active_users", "network_in")
_ERRORS = ("error_rate", "error_count")

_demand_rises = Sign("demand rose as well", _DEMAND)
_demand_steady = Sign("demand was as usual", _DEMAND, "steady")
_latency_rises = Sign("latency rose", ("latency",))
_errors_rise = Sign("errors rose", _ERRORS)
_cpu_rises = Sign("CPU rose", ("cpu_utilization",))
_cpu_steady = Sign("CPU was as usual", ("cpu_utilization",), "steady")
_cpu_full = Sign("CPU is nearly full", ("cpu_utilization",), "full")
_memory_climbs = Sign("memory climbed all along", ("memory_utilization",), "climbs")
_memory_steady = Sign("memory was as usual", ("memory_utilization",), "steady")
_memory_full = Sign("memory is nearly full", ("memory_utilization",), "full")
_disk_full = Sign("the disk is nearly full", ("disk_utilization",), "full")
_credits_drain = Sign("its CPU credits were used up", ("cpu_credit_balance",), "drains")
_below = Sign("the symptom's resource depends on it", fact="below")
_released = Sign("a new version went live at the onset", fact="released")
_capped = Sign("served demand was cut off at a level", fact="capped")
_zone = Sign("its availability zone is in trouble and the others are not", fact="zone")

PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        "memory_leak",
        "Memory leak",
        needs=(_memory_climbs,),
        supports=(_memory_full, _demand_steady, Sign("it swaps", ("swap_utilization",))),
        opposes=(_demand_rises, _disk_full),
    ),
    Pattern(
        "cpu_saturation",
        "CPU saturation",
        needs=(_cpu_rises, _cpu_full),
        supports=(_demand_steady, Sign("the fleet was scaled out", ("instance_count",))),
        opposes=(_demand_rises,),
    ),
    Pattern(
        "traffic_surge",
        "Traffic surge",
        needs=(Sign("demand rose", _DEMAND),),
        supports=(_cpu_rises, Sign("incoming traffic rose", ("network_in",)), Sign("users came", ("active_users",))),
        opposes=(_memory_climbs, Sign("the cost leapt without users", fact="alone")),
    ),
    Pattern(
        "deploy",
        "Release",
        needs=(_released, Sign("latency, errors, CPU or memory rose", ("latency", *_ERRORS, "cpu_utilization"))),
        supports=(_demand_steady,),
        opposes=(_demand_rises,),
    ),
    Pattern(
        "throttling",
        "Throttling or a quota",
        needs=(
            Sign("requests were refused", (*_ERRORS, "throttle_count")),
            _capped,
        ),
        supports=(_cpu_steady, _memory_steady, Sign("calls were throttled", ("throttle_count",))),
        opposes=(_cpu_full, _memory_full, _disk_full),
    ),
    Pattern(
        "disk_full",
        "Disk filling up",
        needs=(Sign("disk use climbed", ("disk_utilization",), "climbs"),),
        supports=(
            _disk_full,
            Sign("more was written", ("storage_io", "disk_write_bytes")),
        ),
        opposes=(),
    ),
    Pattern(
        "noisy_neighbour",
        "Noisy neighbour",
        needs=(
            Sign("it became slow", ("latency", "cpu_steal")),
            Sign("something beside it became busy, or took its CPU", fact="neighbour"),
        ),
        supports=(_demand_steady, _memory_steady, Sign("CPU was stolen", ("cpu_steal",))),
        opposes=(_demand_rises, _released, _memory_climbs, _errors_rise, _credits_drain),
    ),
    Pattern(
        "credits_spent",
        "Burst credits used up",
        needs=(Sign("a balance of credits ran out", ("cpu_credit_balance", "burst_balance"), "drains"),),
        supports=(_latency_rises, Sign("its CPU was held back", ("cpu_steal",))),
        opposes=(Sign("it bursts on, on credit", ("cpu_surplus_credits",)), _disk_full),
    ),
    Pattern(
        "dependency_failure",
        "Failure of a dependency",
        needs=(_below, Sign("it answered slowly or with errors", ("latency", *_ERRORS))),
        supports=(_errors_rise, _latency_rises, _demand_steady, _memory_steady),
        opposes=(_memory_climbs, _cpu_full, _disk_full, _demand_rises, _released, _zone, _capped),
    ),
    Pattern(
        "zone_failure",
        "Failure of an availability zone",
        needs=(_zone,),
        supports=(Sign("requests no longer arrive", _DEMAND, "falls"), _errors_rise),
        opposes=(_demand_rises,),
    ),
    Pattern(
        "runaway_usage",
        "Runaway usage that costs money",
        needs=(Sign("cost leapt", ("hourly_cost",), "leaps"),),
        supports=(
            Sign("calls or traffic rose", ("request_count", "network_out", "network_io")),
            Sign("no user came", fact="alone"),
        ),
        opposes=(_cpu_rises, _released, Sign("users came", ("active_users",))),
    ),
)
