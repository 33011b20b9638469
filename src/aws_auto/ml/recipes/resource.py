"""resource-optimizer: the smallest size of each machine at a stated risk, learned from the fleet's own past."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.cost.rightsizing import CPU, MEMORY, RISK
from aws_auto.ml.cost.rightsizing_model import LEAST_MACHINES, Fleet, Outcome, Rule, learn, outcome
from aws_auto.ml.recipes import recipe, resource_trial
from aws_auto.ml.recipes.resource_machines import (
    DAY,
    HOURS,
    REGION,
    SEEN_HOURS,
    TYPE,
    Decisions,
    Machine,
    machines,
    newest,
    taught,
)
from aws_auto.ml.recipes.resource_trees import FILE, Trees
from aws_auto.ml.recipes.resource_trial import DEFAULT, DEFAULT_NAME
from aws_auto.protocols import Progress, silent
from aws_auto.results import Decision, Field, Quality, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.frame import MetricFrame
    from aws_auto.protocols import Predictor
    from aws_auto.results import Lineage

    #: Size, capacity, risk, saving, note.
    _Answer = tuple[str, float, float, float, str | None]

NAME = "resource-optimizer"
_DAY_S = 86_400
_TOO_SHORT = "under 14 days of its CPU maximum before that day"
_NO_MEMORY = "its memory is not measured and is not reduced"
_NEEDS = "28 days of cpu_utilization_max by the hour (14 to decide from, 14 to judge by), with instance_type and region"


@dataclass(frozen=True)
class ResourceOptimizer:
    """A random forest, or the fleet's best tuned rule, against the defaults of AWS Compute Optimizer."""

    name: str = NAME
    feature: str | None = None
    summary: str = "finds the smallest size of each machine at a stated risk, learned from the fleet's own past"

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        labels: pl.DataFrame | None = None,  # noqa: ARG002 - of alarms, and this raises none
        progress: Progress = silent,
    ) -> TrainedModel:
        """See `aws_auto.protocols.Recipe.fit`.

        Raises:
            NotEnoughData: no machine has 28 days of history.
            SchemaError: the maximum of CPU or the instance type is missing.
        """
        column = _require(frame.data)
        found, reasons = machines(frame.data)
        every = taught(found)
        if not len(every):
            why = f"; {next(iter(reasons.values()))}" if reasons else ""
            raise NotEnoughData(f"no machine can be judged{why}", where=self.name, hint=f"collect {_NEEDS}")
        past, judged, since, how = _split(found, every, seed=seed)
        progress("learn from earlier decisions", 0, 3)
        fleet = learn(past.windows, past.ladders, risk=RISK, seed=seed)
        progress("judge", 1, 3)
        former = champion.fleet if isinstance(champion, SizePredictor) else None
        if isinstance(champion, SizePredictor) and champion.trained_until > since:
            former, how = None, [*how, f"the champion was not compared: it has seen days after {since:%Y-%m-%d %H:%MZ}"]
        trial = resource_trial.run(fleet, judged, champion=former, seed=seed)
        decision, reason = recipe.decide(trial.backtests, champion_is_rule=former is not None and _is_default(former))
        progress("learn from everything", 2, 3)
        final = _default(every) if decision is Decision.SIMPLE_RULE else _learned(every, seed)
        origin = recipe.lineage(frame, seed=seed, simulated=simulated)
        predictor = SizePredictor(schema=_schema(frame.data, column), fleet=final, trained_until=origin.end)
        report = _report(trial, decision, reason, origin, [*how, *_notes(fleet, trial, len(found), reasons)])
        return recipe.packed(predictor, frame, report, seed=seed)

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`: the eight weeks that a size is chosen from."""
        return timedelta(hours=SEEN_HOURS)

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """See `aws_auto.protocols.Recipe.evaluate`; a decision is judged by the fortnight after it."""
        fleet = self.load(files).fleet
        late, _ = newest(machines(frame.data)[0], since=int(since.timestamp()) // 3600)
        if not len(late):
            return None
        return Quality(backtest=resource_trial.run(fleet, late, champion=None, seed=0).backtests[0])

    def load(self, files: Mapping[str, bytes]) -> SizePredictor:
        """See `aws_auto.protocols.Recipe.load`."""
        return SizePredictor.load(files)


@dataclass(frozen=True, kw_only=True)
class SizePredictor:
    """Answers for each row with the size that could be chosen when the row's UTC day began.

    Columns of the answer: ``size`` (instance type), ``capacity`` (its virtual CPUs as a share of the present ones),
    ``risk`` (probability that CPU is above it in more than 0.5 % of the next fortnight's hours), ``saving`` (share of
    the list price), ``note`` (why there is no answer, or no smaller size). History is what the rows themselves hold:
    send 15 days at least; up to 56 days before the row's are looked at.
    """

    schema: tuple[Field, ...]
    fleet: Fleet
    trained_until: datetime
    risk: float = RISK

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given; never looks past the start of the row's day.

        Raises:
            SchemaError: the maximum of CPU or the instance type is missing.
        """
        _require(rows)
        found, reasons = machines(rows)
        days = rows.select(RESOURCE, day=pl.col(TIMESTAMP).dt.epoch("s") // _DAY_S)
        asked = days.unique(maintain_order=True)
        known = {one.name: one for one in found}
        answers = self._answers([(known[n], d) for n, d in asked.iter_rows() if n in known])
        table = pl.DataFrame(
            [
                (name, day, *answers.get((name, day), (None, None, None, None, reasons.get(name, _TOO_SHORT))))
                for name, day in asked.iter_rows()
            ],
            schema={
                RESOURCE: pl.String,
                "day": pl.Int64,
                "size": pl.String,
                "capacity": pl.Float64,
                "risk": pl.Float64,
                "saving": pl.Float64,
                "note": pl.String,
            },
            orient="row",
        )
        joined = days.cast({"day": pl.Int64}).join(table, on=[RESOURCE, "day"], how="left", maintain_order="left")
        return pl.concat([rows.select(RESOURCE, TIMESTAMP), joined.drop(RESOURCE, "day")], how="horizontal")

    def _answers(self, asked: list[tuple[Machine, int]]) -> dict[tuple[str, int], _Answer]:
        usable = [(one, day, past) for one, day in asked if (past := one.past(day * DAY)) is not None]
        ladders = [one.ladder(day * DAY) for one, day, _ in usable]
        shares = [one.shares(ladder) for (one, _, _), ladder in zip(usable, ladders, strict=True)]
        troubles = self.fleet.trouble([past for *_, past in usable], shares)
        places = resource_trial.at_risk(troubles, self.risk)
        return {
            (one.name, day): (
                ladder[place].instance_type,
                share[place],
                float(trouble[place]),
                1.0 - ladder[place].usd_per_hour / one.now.usd_per_hour,
                _NO_MEMORY if one.memory is None else None,
            )
            for (one, day, _), ladder, share, trouble, place in zip(
                usable, ladders, shares, troubles, places, strict=True
            )
        }

    def files(self) -> dict[str, bytes]:
        """A bundle that `load` reads."""
        fleet = self.fleet
        body = {
            "schema": [vars(f) for f in self.schema],
            "risk": self.risk,
            "trained_until": self.trained_until.isoformat(),
            "rule": asdict(fleet.rule),
            "ours": None if fleet.ours is None else asdict(fleet.ours),
            "ruled": asdict(fleet.ruled),
            "per_day": fleet.per_day,
            "independent": fleet.independent,
            "history": fleet.history,
        }
        return files.bundle(NAME, body, {} if fleet.forest is None else {FILE: fleet.forest.to_bytes()})

    @classmethod
    def load(cls, given: Mapping[str, bytes]) -> SizePredictor:
        """The inverse of `files`.

        Raises:
            ArtifactError: the files are damaged or foreign.
        """
        body, parts = files.open_bundle(given, NAME)
        try:
            fleet = Fleet(
                forest=Trees.from_bytes(parts[FILE]) if FILE in parts else None,
                rule=Rule(**body["rule"]),
                ours=None if body["ours"] is None else Outcome(**body["ours"]),
                ruled=Outcome(**body["ruled"]),
                per_day=body["per_day"],
                independent=body["independent"],
                history=body["history"],
            )
            return cls(
                schema=tuple(Field(**f) for f in body["schema"]),
                fleet=fleet,
                trained_until=datetime.fromisoformat(body["trained_until"]),
                risk=body["risk"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"does not hold what a model of {NAME} holds: {error}", where=files.META) from error


def _require(data: pl.DataFrame) -> str:
    column = next((name for name in CPU if name in data.columns), None)
    if column is None or TYPE not in data.columns:
        lacks = TYPE if column else CPU[0]
        raise SchemaError(f"no {lacks}", where=NAME, hint=f"collect {_NEEDS}")
    return column


def _schema(data: pl.DataFrame, column: str) -> tuple[Field, ...]:
    memory = [name for name in MEMORY if name in data.columns][:1]
    texts = [Field(name=name, kind="text", required=name == TYPE) for name in (TYPE, REGION) if name in data.columns]
    return (*recipe.schema(data, required=[column], optional=memory), *texts)


def _split(
    found: Sequence[Machine], every: Decisions, *, seed: int
) -> tuple[Decisions, Decisions, datetime, list[str]]:
    """What to learn from, what to judge by, when the first of these was decided, and what must be said of it.

    The newest decision of each machine is judged by what decisions taught whose futures had ended by then. Where there
    is none, half of the machines teach and the other half is judged.
    """
    judged, hour = newest(found)
    before, since = taught(found, until=hour), datetime.fromtimestamp(hour * 3600, UTC)
    if len(before):
        return before, judged, since, []
    names = sorted(set(every.windows.machines))
    if len(names) == 1:
        return every, judged, since, ["one machine: the rule was tuned on the decisions that it is judged by"]
    teach = set(np.random.default_rng(seed).permutation(names)[: -(-len(names) // 2)])
    rest, _ = newest([one for one in found if one.name not in teach])
    return (
        taught([one for one in found if one.name in teach]),
        rest,
        since,
        ["under 42 days: judged on other machines, not on later days"],
    )


def _learned(every: Decisions, seed: int) -> Fleet:
    fleet = learn(every.windows, every.ladders, risk=RISK, seed=seed)
    return fleet if fleet.forest is None else replace(fleet, forest=Trees.of(fleet.forest))


def _default(every: Decisions) -> Fleet:
    """The rule of the documented defaults, with how often it failed on this fleet."""
    ruled = outcome(resource_trial.peaks(every), every.ladders, resource_trial.by_rule(DEFAULT, every))
    return Fleet(None, DEFAULT, None, ruled, DAY, len(every) / every.windows.overlap, HOURS)


def _is_default(fleet: Fleet) -> bool:
    return fleet.forest is None and fleet.rule == DEFAULT


def _report(
    trial: resource_trial.Trial, decision: Decision, reason: str, origin: Lineage, notes: list[str]
) -> TrainReport:
    return TrainReport(
        recipe=NAME,
        decision=decision,
        reason=reason,
        backtests=trial.backtests,
        calibration=trial.calibration,
        lineage=origin,
        charts=(trial.curve,),
        notes=tuple(notes),
    )


def _notes(fleet: Fleet, trial: resource_trial.Trial, judged: int, reasons: Mapping[str, str]) -> list[str]:
    what = f"the rule {fleet.rule}" if fleet.forest is None else "a random forest"
    why = f" (under {LEAST_MACHINES} machines no forest is learned)" if fleet.ours is None else ""
    said = [
        f"learned: {what}{why}",
        f"at a stated risk of {RISK:.0%}: {_saved(trial.ours)}; {DEFAULT_NAME}: {_saved(trial.rule)}",
        *([f"expected calibration error over every size of every machine: {trial.ece:.3f}"] if fleet.forest else []),
        f"{judged} machines can be sized",
    ]
    counts: dict[str, int] = {}
    for why_not in reasons.values():
        counts[why_not] = counts.get(why_not, 0) + 1
    return [*said, *(f"{n} others cannot: {why_not}" for why_not, n in sorted(counts.items(), key=lambda p: -p[1]))]


def _saved(one: Outcome) -> str:
    return f"{one.saving:.1%} saved, {one.violating:.1%} of machines in trouble"


def answers_now(predictor: Predictor, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The newest answer of each resource that has one, biggest saving first."""
    newest = predictor.predict(rows).sort(TIMESTAMP).group_by(RESOURCE, maintain_order=True).last()
    known = newest.filter(pl.col("size").is_not_null()).sort(["saving", RESOURCE], descending=[True, False])
    return known.drop("note").to_dicts()
