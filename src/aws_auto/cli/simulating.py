"""``aws-auto ml simulate``: what would have happened, played on the account's own past."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render
from aws_auto.cli.inputs import collected, opened
from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from aws_auto.pipeline.simulate import Fleet, ScalingReplay
    from aws_auto.pipeline.simulate_mix import Mix


app = typer.Typer(
    name="simulate",
    help="Play a policy on the account's own past: scaling.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def words() -> None:
    """Play a policy on the account's own past."""


@app.command()
def scaling(
    file: Annotated[
        Path | None, typer.Option("--file", help="CSV or Parquet with timestamp and load, instead of the lake.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="What the load is, in the lake.")] = "request_count",
    resource: Annotated[
        str | None, typer.Option("--resource", help="Whose load; default: the busiest whose instances are counted.")
    ] = None,
    window: options.WindowText = "35d",
    data_source: options.Sources = None,
    path: options.DataPath = None,
    region: options.Region = None,
    boot: Annotated[str, typer.Option("--boot", help="From start to ready, such as 5m.")] = "5m",
    capacity: Annotated[
        float | None, typer.Option("--capacity", help="Load that one instance carries in a step; default: as seen.")
    ] = None,
    peak_instances: Annotated[
        int, typer.Option("--peak-instances", min=1, help="Instances at the peak, where capacity is not known.")
    ] = 40,
    price: Annotated[
        float | None, typer.Option("--price", help="USD for an instance-hour; default: as seen, if at all.")
    ] = None,
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", help="Take its on-demand Linux price in us-east-1.")
    ] = None,
    types: Annotated[
        str | None, typer.Option("--types", help="Further types that may be chosen, comma-separated.")
    ] = None,
    spot_price: options.SpotPrices = None,
    spot_share: Annotated[
        float | None,
        typer.Option("--spot-share", help="Share of the fleet's capacity that may be on spot.", show_default="1.0"),
    ] = None,
    reclaim: Annotated[
        float | None,
        typer.Option(
            "--reclaim", help="Probability that a spot pool is reclaimed within an hour.", show_default="0.05"
        ),
    ] = None,
    slo: Annotated[str, typer.Option("--slo", help="Steps that may have more load than is ready, at most.")] = "0.5%",
    minimum: Annotated[int, typer.Option("--min", min=0, help="Instances at least.")] = 1,
    maximum: Annotated[int | None, typer.Option("--max", min=1, help="Instances at most.")] = None,
    play: Annotated[str, typer.Option("--play", help="How much of the end is played.")] = "7d",
    period: Annotated[
        str | None, typer.Option("--period", help="Length of a step, such as 5m; default: as the data is.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="CSV or Parquet with start and end of what is known in advance.")
    ] = None,
    report: options.Report = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Play your own load against a fleet: target tracking, AWS-like prediction and ours, beside the optimum.

    Example: aws-auto ml simulate scaling --data-source sample --window 28d
    """
    from aws_auto.frame import read_table
    from aws_auto.pipeline import simulate as use_case
    from aws_auto.pipeline.web.scaling import scaling_report

    fleet = use_case.Fleet(
        boot=options.length(boot, "--boot", example="5m", least=timedelta(0)),
        capacity=capacity,
        price=_price(price, instance_type),
        peak_instances=peak_instances,
        slo=options.share(slo, "--slo", example="0.5%"),
        minimum=minimum,
        maximum=maximum,
        played=options.length(play, "--play", example="7d"),
        events=_events(events),
        mix=_mix(instance_type, types, spot_price or [], spot_share=spot_share, reclaim=reclaim),
    )
    step = options.length(period, "--period", example="5m") if period else None
    ws = opened(workspace, target)
    if file is not None:
        if data_source or path:
            raise UsageError("is read instead of a data source", where="--file", hint="leave out --data-source")
        history = use_case.load_of_table(read_table(file), name=str(file), period=step)
    else:
        span = options.window(window, ws.clock.now())
        collected(ws, data_source or [], path, span, region)
        history = use_case.load_of_lake(ws, span, metric=metric, resource=resource, period=step)
    found = use_case.simulate(history, fleet)
    render.report(ws, "simulate-scaling", lambda: scaling_report(found), asked=report)
    show(found, fleet, as_json=as_json)


def show(found: ScalingReplay, fleet: Fleet, *, as_json: bool) -> None:
    """The table or JSON, and what to do next."""
    if as_json:
        render.emit({k: v for k, v in vars(found).items() if k not in ("need", "curves")})
        return
    columns = (
        "policy",
        "knob",
        "hours",
        "over optimum",
        "USD/month",
        "violated",
        "unserved",
        "actions",
        "promise kept",
    )
    hours, usd = f"{found.optimum_hours:.0f}", _usd(found.optimum_usd_month)
    rows: list[tuple[object, ...]] = [("clairvoyant optimum", None, hours, None, usd, None, None, None, None)]
    rows += [
        (
            row.policy,
            f"{row.knob:.3g}",
            f"{row.instance_hours:.0f}",
            f"+{row.over_optimum:.1%}",
            _usd(row.usd_month),
            f"{row.violated:.2%}",
            f"{row.unserved:.2%}",
            row.actions,
            "yes" if row.kept else "no",
        )
        for row in found.rows
    ]
    render.table(columns, rows)
    _show_mix(found)
    days = (found.end - found.start) / timedelta(days=1)
    render.talk(f"{found.trace}: {days:.1f} days in steps of {found.period}, promise {fleet.slo:.2%} violated steps")
    ours = found.rows[-1]
    if ours.saving_low is not None and ours.saving_high is not None:
        span = f"{ours.saving_low:.1%} .. {ours.saving_high:.1%}"
        render.talk(f"{ours.policy} saves {span} of target tracking's instance-hours (95 %, days drawn anew)")
    for note in found.notes:
        render.talk(f"note: {note}")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")
    render.talk("next: look at the report, then aws-auto ml train-models --models demand-forecaster")


def _show_mix(found: ScalingReplay) -> None:
    if not found.mix:
        return
    columns = ("with the types and spot", "USD/month", "violated", "promise kept", "on spot", "reclaimed", "pools")
    rows = [
        (
            row.policy,
            _usd(row.usd_month),
            f"{row.violated:.2%}",
            "yes" if row.kept else "no",
            f"{row.spot_share:.1%}",
            row.reclaimed,
            ", ".join(f"{name} {share:.0%}" for name, share in row.pools.items() if share),
        )
        for row in found.mix
    ]
    render.table(columns, rows)


def _usd(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _price(price: float | None, instance_type: str | None) -> float | None:
    from aws_auto.ml.cost.prices import REGION, lookup

    if instance_type is None:
        return price
    if price is not None:
        raise UsageError("a price was given already", where="--instance-type", hint="leave one of the two out")
    known = lookup(instance_type, REGION)
    if known is None:
        raise UsageError(
            f"the price of {instance_type} is not known", where="--instance-type", hint="give it: --price USD an hour"
        )
    return known.usd_per_hour


def _mix(
    instance_type: str | None, types: str | None, spot: list[str], *, spot_share: float | None, reclaim: float | None
) -> Mix | None:
    """What the fleet may consist of, None for equal instances; what makes no sense is told before anything is pulled.

    Raises:
        UsageError: a type is not known, a price or share is none, or a flag is about spot and nothing is on spot.
    """
    from aws_auto.cli.scaling import prices_by_type
    from aws_auto.pipeline.simulate_mix import Mix

    for flag, share in (("--spot-share", spot_share), ("--reclaim", reclaim)):
        if share is not None and not spot:
            raise UsageError("nothing may be bought on spot", where=flag, hint="add --spot-price m5.large=0.04")
    if not types and not spot:
        return None
    if instance_type is None:
        raise UsageError(
            "the type that --capacity is said for is not known",
            where="--types",
            hint="name it: --instance-type m5.large",
        )
    mix = Mix(
        instance_type=instance_type,
        types=options.words(types),
        spot_prices=prices_by_type(spot),
        spot_share=Mix.spot_share if spot_share is None else spot_share,
        reclaim=Mix.reclaim if reclaim is None else reclaim,
    )
    mix.offers()
    return mix


def _events(file: Path | None) -> tuple[tuple[datetime, datetime], ...]:
    """Start and end of each event, in UTC."""
    from aws_auto.errors import SchemaError
    from aws_auto.frame import read_table

    if file is None:
        return ()
    table = read_table(file)
    if missing := {"start", "end"} - set(table.columns):
        raise SchemaError(f"column {', '.join(sorted(missing))} missing", where=str(file), hint="columns start and end")
    rows = table.select("start", "end").iter_rows()
    return tuple((options.moment(str(a), "--events"), options.moment(str(b), "--events")) for a, b in rows)
