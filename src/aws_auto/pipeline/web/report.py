"""Reports that a person can read: the decision first, the evidence after it, where it comes from at the end.

`render` (from `blocks`) makes a page of any sections; `train_report` and `monitor_report` say what goes on it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aws_auto.pipeline.web import figures
from aws_auto.pipeline.web.blocks import Block, Facts, Figure, Section, Table, number, render
from aws_auto.results import Chart, Decision, Line, ModelVersion, TrainReport, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.pipeline.monitor import ModelHealth, MonitorReport
    from aws_auto.results import DriftReport

__all__ = ["Facts", "Figure", "Section", "Table", "monitor_report", "render", "train_report"]

SIMULATED = "Simulated data: the figures below describe a made-up account, not yours."
CLEARLY_BETTER, CLEARLY_WORSE, OPEN = "better", "worse", "no difference shown"


def train_report(reports: Sequence[TrainReport | ModelVersion]) -> str:
    """What training found and decided, one section per model.

    Raises:
        MissingExtra: plotly is not installed.
    """
    models = [(_name(r), as_json(r.report if isinstance(r, ModelVersion) else r)) for r in reports]
    made_up = [name for name, body in models if body["lineage"]["simulated"]]
    banner = SIMULATED if made_up and len(made_up) == len(models) else ""
    if made_up and not banner:
        banner = f"{SIMULATED.partition(':')[0]}: so are the figures of {', '.join(made_up)}, not those of the others."
    lead: list[Block] = [Facts(items={name: _decided(body) for name, body in models}, leading=True)]
    rows = [(name, *row) for name, body in models for row in map(_compared, body["backtests"])]
    lead.append(
        Table(
            columns=("model", "measure", "ours", "best simple rule", "champion", "difference", "so ours is", "n"),
            rows=rows,
        )
    )
    lead.append(
        "Every figure is measured on data that came after the training data. The difference is ours minus the simple "
        "rule, with its interval; ours is called better only when the whole interval says so."
    )
    return render("Training report", [_model(name, body) for name, body in models], lead=lead, banner=banner)


def monitor_report(found: MonitorReport) -> str:
    """How the deployed models fare on the newest window.

    Raises:
        MissingExtra: plotly is not installed and there is something to draw.
    """
    states = {f"{m.model} version {m.version}": str(m.status).capitalize() for m in found.models}
    lead: list[Block] = [Facts(items=states, leading=True)]
    lead.append(f"Judged on {_time(found.window.start)} to {_time(found.window.end)} (UTC), at {_time(found.at)}.")
    sections = [Section(title=f"{m.model} version {m.version}", blocks=tuple(_health(m))) for m in found.models]
    rows = [(r.stage, f.level, f.text) for r in found.data for f in r.findings]
    if rows:
        table = Table(columns=("stage", "level", "finding"), rows=rows)
        sections.append(Section(title="The data behind it", blocks=(table,)))
    simulated = [m.model for m in found.models if m.simulated]
    return render("Monitoring report", sections, lead=lead, banner=SIMULATED if simulated else "")


def _decided(body: Mapping[str, Any]) -> str:
    words = {
        Decision.PROMOTE: "Use the new model",
        Decision.KEEP_CHAMPION: "Keep the present champion",
        Decision.SIMPLE_RULE: "Use the simple rule",
    }
    return f"{words[Decision(body['decision'])]}. {body['reason']}"


def _compared(test: Mapping[str, Any]) -> tuple[object, ...]:
    low, high = test["difference"]["low"], test["difference"]["high"]
    return (
        f"{test['metric']} ({test['unit']}), {'lower' if test['lower_is_better'] else 'higher'} is better",
        test["ours"],
        f"{number(test['baseline'])} ({test['baseline_name']})",
        _beside(test),
        f"{number(low)} to {number(high)} ({test['difference']['level']:.0%})",
        _verdict(test),
        f"{test['n']} {test['unit_of_n']}",
    )


def _beside(test: Mapping[str, Any]) -> str:
    """The champion's figure beside ours, on what it has not seen."""
    fresh = test["fresh"]
    if fresh is None:
        return "none, or not compared"
    return f"{number(fresh['champion'])}; ours {number(fresh['ours'])} ({fresh['n']} {test['unit_of_n']})"


def _verdict(test: Mapping[str, Any]) -> str:
    low, high = test["difference"]["low"], test["difference"]["high"]
    if low is None or high is None:
        return "unknown"
    if high < 0:
        return CLEARLY_BETTER if test["lower_is_better"] else CLEARLY_WORSE
    if low > 0:
        return CLEARLY_WORSE if test["lower_is_better"] else CLEARLY_BETTER
    return OPEN


def _model(name: str, body: Mapping[str, Any]) -> Section:
    blocks: list[Block] = [_decided(body)]
    blocks += [part for part in (_forest(body["backtests"]),) if part]
    if body["calibration"]:
        rows = [(c["what"], _promise(c, "nominal"), _promise(c, "observed"), c["n"]) for c in body["calibration"]]
        title = "What was promised against what happened on held-back data"
        blocks.append(Table(columns=("what", "promised", "happened", "n"), rows=rows, title=title))
    blocks += [_chart(chart) for chart in body["charts"]]
    blocks += list(body["notes"])
    lineage = dict(body["lineage"])
    blocks.append(
        Facts(
            title="What it was made of",
            items={
                "data": f"{lineage['rows']:,} rows of {lineage['resources']:,} resources"
                + (", simulated" if lineage["simulated"] else ""),
                "from, to (UTC)": f"{_time(lineage['start'])} to {_time(lineage['end'])}",
                "fingerprint": lineage["data_fingerprint"],
                "seed": lineage["seed"],
                "made with": ", ".join(f"{k} {v}" for k, v in sorted(lineage["versions"].items())),
            },
        )
    )
    return Section(title=name, blocks=tuple(blocks))


def _promise(said: Mapping[str, Any], name: str) -> str:
    return f"{said[name]:.1%}" if said["unit"] == "share" else f"{number(said[name])} {said['unit']}"


def _forest(tests: Sequence[Mapping[str, Any]]) -> Figure | None:
    """The differences as shares of the simple rule's figure, so that measures of any unit fit one axis."""
    rows = []
    for test in tests:
        low, high, base = test["difference"]["low"], test["difference"]["high"], test["baseline"]
        if low is None or high is None or not base:
            continue
        # The middle of a bootstrap interval need not be the difference of the two figures: what is drawn is theirs.
        middle = test["ours"] - base
        name = f"{test['metric']} ({'lower' if test['lower_is_better'] else 'higher'} is better)"
        rows.append((name, *(100.0 * v / abs(base) for v in (min(low, middle), middle, max(high, middle)))))
    if not rows:
        return None
    return Figure(
        title="Ours against the best simple rule",
        note="Points are differences, bars their intervals. A bar that crosses the dotted line shows no difference.",
        figure=figures.differences(rows, title="difference, in % of the simple rule"),
    )


def _health(model: ModelHealth) -> list[Block]:
    blocks: list[Block] = [f"Status: {model.status}."]
    blocks += [
        f"{b.metric} is {number(b.value)}; the rule {b.rule} asks for: {', '.join(b.actions)}." for b in model.breaches
    ]
    known = {name: value for name, value in model.readings.items() if value is not None}
    if known:
        blocks.append(Facts(items=known, title="Readings"))
    for what, drift in (("inputs", model.drift), ("predictions", model.prediction_drift)):
        if drift is not None and (drift.columns or drift.not_judged):
            blocks += _drift(what, drift)
    if model.quality is not None:
        row = _compared(as_json(model.quality.backtest))
        columns = ("measure", "ours", "best simple rule", "champion", "difference", "so ours is", "n")
        blocks.append(Table(columns=columns, rows=[row], title="Quality where truth has arrived"))
    return [*blocks, *model.notes]


def _drift(what: str, drift: DriftReport) -> list[Block]:
    rows = [
        (
            c.column,
            c.distance,
            c.threshold,
            "drifted" if c.drifted else "like the reference",
            c.n_reference,
            c.n_current,
        )
        for c in sorted(drift.columns, key=lambda c: (not c.drifted, c.column))
    ]
    columns = ("column", "distance", "threshold", "verdict", "n in reference", "n now")
    drifted = sum(c.drifted for c in drift.columns)
    title = f"Drift of the {what}: {drifted} of {len(drift.columns)} columns"
    blocks: list[Block] = [Table(columns=columns, rows=rows, title=title)]
    return [*blocks, *(f"{column} was not judged: {why}" for column, why in sorted(drift.not_judged.items()))]


def _name(report: TrainReport | ModelVersion) -> str:
    if isinstance(report, ModelVersion):
        return f"{report.name} version {report.version} ({report.stage})"
    return report.recipe


def _chart(chart: Mapping[str, Any]) -> Chart:
    return Chart(**{**chart, "lines": tuple(Line(**line) for line in chart["lines"])})


def _time(value: datetime | str) -> str:
    return f"{datetime.fromisoformat(value) if isinstance(value, str) else value:%Y-%m-%d %H:%M}"
