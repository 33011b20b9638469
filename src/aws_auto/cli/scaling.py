"""``aws-auto ml scale``: the instances of the next hours, and what AWS would be told."""

from __future__ import annotations

import os
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aws_auto.cli import options, render
from aws_auto.cli.inputs import collected, opened
from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from aws_auto.ml.scaling.aws_plan import Request
    from aws_auto.pipeline.ports import Window, Workspace
    from aws_auto.pipeline.scale import Asked, Scaled, Scaling


class Mode(StrEnum):
    """Whether a plan may be carried out, in the words of AWS."""

    FORECAST_ONLY = "forecast-only"
    FORECAST_AND_SCALE = "forecast-and-scale"


def scale(
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=24, help="Hours ahead.")] = 4,
    resource: Annotated[list[str] | None, typer.Option("--resource", help="Only this fleet; may be repeated.")] = None,
    least: Annotated[int, typer.Option("--min", min=0, help="Instances of each fleet at least.")] = 1,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Instances of each fleet at most.")] = None,
    risk: Annotated[
        float, typer.Option("--risk", help="Share of hours in which a fleet may be too small at its worst moment.")
    ] = 0.05,
    objective: Annotated[
        float | None, typer.Option("--objective", help="Latency in ms not to be passed; default: as trained.")
    ] = None,
    boot: Annotated[str, typer.Option("--boot", help="From the start of an instance until it serves.")] = "5m",
    hold: Annotated[
        str, typer.Option("--hold", help="How long a lower need must stand before a fleet shrinks.")
    ] = "1h",
    types: Annotated[
        str | None, typer.Option("--types", help="Instance types that may be chosen, comma-separated.")
    ] = None,
    spot_price: options.SpotPrices = None,
    spot_share: Annotated[
        float, typer.Option("--spot-share", help="Share of a fleet's capacity that may be on spot.")
    ] = 1.0,
    budget: Annotated[
        float | None, typer.Option("--budget", help="USD an hour for each fleet; what is above it is said.")
    ] = None,
    aws: Annotated[
        list[str] | None,
        typer.Option(
            "--aws",
            help="RESOURCE=ADDRESS where an id does not say it: autoscaling:NAME, ecs:service/CLUSTER/NAME, "
            "sagemaker:endpoint/NAME/variant/NAME, dynamodb:table/NAME[:write]; may be repeated.",
        ),
    ] = None,
    units: Annotated[
        float, typer.Option("--table-units", help="Capacity units that one request takes, for tables.")
    ] = 1.0,
    mode: Annotated[
        Mode, typer.Option("--mode", help="forecast-only plans; forecast-and-scale may be applied.")
    ] = Mode.FORECAST_ONLY,
    apply: Annotated[bool, typer.Option("--apply", help="Carry the plan out in AWS, after a yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply without asking.")] = False,
    window: options.WindowText = "30d",
    data_source: options.Sources = None,
    path: options.DataPath = None,
    region: options.Region = None,
    report: options.Report = None,
    workspace: options.Home = None,
    target: options.Target = "auto",
    as_json: options.Json = False,
) -> None:
    """Plan the instances of the next hours with price and risk, as scheduled actions and target tracking.

    Example: aws-auto ml scale --data-source sample --max 20
    """
    question = asked(
        horizon=horizon,
        least=least,
        most=most,
        risk=risk,
        boot=boot,
        hold=hold,
        spot_share=spot_share,
        budget=budget,
        types=options.words(types),
        spot_prices=spot_price or [],
        objective=objective,
        addresses=aws or [],
        table_units=units,
        resources=resource or [],
    )
    if apply and mode is Mode.FORECAST_ONLY:
        raise UsageError(
            "a plan of mode forecast-only is not applied", where="--apply", hint="add --mode forecast-and-scale"
        )
    ws = opened(workspace, target)
    span = options.window(window, ws.clock.now())
    collected(ws, data_source or [], path, span, region)
    found, where = run(ws, span, question, region=region)
    show(ws, found, mode=mode, html=report, as_json=as_json)
    if apply:
        carry_out(ws, found, where, yes=yes)


def asked(
    *,
    horizon: int,
    least: int,
    most: int | None,
    risk: float,
    boot: str,
    hold: str,
    spot_share: float,
    budget: float | None,
    types: list[str],
    spot_prices: list[str],
    objective: float | None,
    addresses: list[str],
    table_units: float,
    resources: list[str],
) -> Asked:
    """The flags as a question.

    Raises:
        UsageError: a flag cannot be read.
    """
    from aws_auto.ml.scaling.aws_plan import Address
    from aws_auto.ml.scaling.timeline import Constraints
    from aws_auto.pipeline.scale import Asked

    return Asked(
        horizon=horizon,
        constraints=Constraints(
            least=least,
            most=most,
            slo=risk,
            boot=options.length(boot, "--boot", example="5m", least=timedelta(0)),
            hold=options.length(hold, "--hold", example="1h", least=timedelta(0)),
            spot_share=spot_share,
            budget=budget,
        ),
        types=tuple(types),
        spot_prices=prices_by_type(spot_prices),
        objective_ms=objective,
        addresses={name: Address.parse(text) for name, text in (_pair(a, "--aws") for a in addresses)},
        table_units=table_units,
        only=tuple(resources),
    )


def run(ws: Workspace, window: Window, question: Asked, *, region: str | None) -> tuple[Scaled, Scaling | None]:
    """Plan, compared with AWS where that is the target.

    Raises:
        ModelNotFound: a champion is missing.
        CredentialsError: AWS is the target and does not know us.
    """
    from aws_auto.pipeline.scale import scale

    where: Scaling | None = None
    if ws.target.name == "aws":
        from aws_auto.pipeline.aws.scaling import open_scaling

        where = open_scaling(os.environ, ws.clock, region=region)
    with render.progress("scale") as tell:
        return scale(ws, window, question, where=where, progress=tell), where


def show(ws: Workspace, found: Scaled, *, mode: Mode, html: Path | None, as_json: bool) -> None:
    """The timeline, the requests, money, and what to do next."""
    from aws_auto.pipeline.web.scale_plan import money, scaling_report

    render.report(ws, "scaling", lambda: scaling_report(found), asked=html)
    if as_json:
        render.emit(_plain(found, mode))
        return
    render.table(
        ("fleet", "from (UTC)", "requests/s (80 %)", "needed", "instances", "too few", "p95 ms", "risk", "USD"),
        list(_rows(found)),
    )
    render.table(("fleet", "call", "what", "until (UTC)", "why"), list(_calls(found)))
    for name, why in sorted(found.left_out.items()):
        render.talk(f"no plan for {name}: {why}")
    for note in (*found.notes, *(f"{p.resource}: {n}" for p in found.plans for n in p.notes)):
        render.talk(f"note: {note}")
    render.talk(f"{len(found.plans)} fleets: {money(found.usd_difference)} against the fleets as they are")
    if found.observed:
        render.talk(f"plan {found.changes.checksum()} against what is in AWS: {found.changes}")
    if found.simulated:
        render.talk("simulated data: no figure of it is about your account")
    render.talk(_next(found, mode))


def carry_out(ws: Workspace, found: Scaled, where: Scaling | None, *, yes: bool) -> None:
    """Apply after a yes.

    Raises:
        UsageError: AWS was not looked at, or the figures are simulated.
    """
    from aws_auto.pipeline.scale import apply

    if where is None:
        raise UsageError("only AWS can be scaled", where="--apply", hint="add --target aws")
    if found.simulated:
        raise UsageError(
            "simulated figures are not applied", where="--apply", hint="collect and train on your own account first"
        )
    if not found.changes:
        render.talk("nothing to apply")
        return
    if not yes and not typer.confirm(f"apply plan {found.changes.checksum()} ({found.changes})?", err=True):
        render.talk("nothing was applied")
        return
    with render.progress("apply") as tell:
        done = apply(ws, found, where, progress=tell)
    render.talk(f"{done} changes were made; next: aws-auto ml scale --target aws --mode forecast-and-scale")


def _rows(found: Scaled) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for plan in found.plans:
        told = found.performance.get(plan.resource) or (None,) * len(plan.steps)
        for step, hour in zip(plan.steps, told, strict=True):
            rows.append(
                (
                    plan.resource,
                    f"{step.start:%m-%d %H:%M}",
                    f"{step.expected:.4g} ({step.demand.low:.4g} .. {step.demand.high:.4g})",
                    f"{step.need.low:.1f} .. {step.need.high:.1f}",
                    ", ".join(f"{n} {pool}" for pool, n in step.instances.items()),
                    f"{step.short:.1%}",
                    None if hour is None else render.number(hour.p95),
                    None if hour is None or hour.breach is None else f"{hour.breach:.1%}",
                    None if step.usd is None else f"{step.usd:.2f}",
                )
            )
    return rows


def _calls(found: Scaled) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, made in found.made.items():
        for call in made:
            until = f"{call.expires:%m-%d %H:%M}" if call.expires else "stays"
            rows.append((name, call.kind, _what(call), until, call.why))
    return rows


def _what(call: Request) -> str:
    body = call.body
    bounds = body.get("ScalableTargetAction", body)
    if "MinCapacity" in bounds or "MinSize" in bounds:
        low, high = (bounds.get(f"{w}Capacity", bounds.get(f"{w}Size")) for w in ("Min", "Max"))
        when = body.get("StartTime") or body.get("Schedule")
        return f"at least {low}" + (f", at most {high}" if high else "") + (f" from {when}" if when else "")
    told = body.get("TargetTrackingConfiguration") or body["TargetTrackingScalingPolicyConfiguration"]
    return f"{told['PredefinedMetricSpecification']['PredefinedMetricType']} at {told['TargetValue']:g}"


def _next(found: Scaled, mode: Mode) -> str:
    if not found.observed:
        return "next: compare with what is there: aws-auto ml scale --target aws"
    if mode is Mode.FORECAST_ONLY:
        return "next: watch a few forecasts come true, then add --mode forecast-and-scale --apply"
    return "next: add --apply"


def _plain(found: Scaled, mode: Mode) -> dict[str, object]:
    from aws_auto.ml.scaling.aws_plan import OPERATIONS

    calls = [
        {
            "resource_id": name,
            "service": OPERATIONS[call.kind][0],
            "operation": OPERATIONS[call.kind][1],
            "body": call.body,
            "expires": call.expires,
            "why": call.why,
        }
        for name, made in found.made.items()
        for call in made
    ]
    plans = [
        {
            "resource_id": plan.resource,
            "now": plan.now,
            "reactive_need": plan.reactive,
            "resources": plan.resources,
            "most": plan.most,
            "usd": plan.usd,
            "usd_difference": plan.usd_difference,
            "steps": plan.steps,
            "performance": found.performance.get(plan.resource, ()),
            "notes": plan.notes,
        }
        for plan in found.plans
    ]
    changes = [{"change": type(c).__name__.lower(), **vars(c)} for c in found.changes.changes]
    return {
        "at": found.at,
        "mode": mode,
        "simulated": found.simulated,
        "versions": found.versions,
        "plans": plans,
        "usd_difference": found.usd_difference,
        "requests": calls,
        "compared_with_aws": found.observed,
        "checksum": found.changes.checksum(),
        "changes": changes,
        "left_out": found.left_out,
        "notes": found.notes,
    }


def _pair(text: str, where: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        example = "m5.large=0.04" if where == "--spot-price" else "web=autoscaling:web-asg"
        raise UsageError(f"{text!r} is not NAME=VALUE", where=where, hint=f"for example {where} {example}")
    return name, value


def prices_by_type(texts: list[str]) -> dict[str, float]:
    """``TYPE=USD`` as prices by type.

    Raises:
        UsageError: a text is no such pair.
    """
    return {name: _price(name, text) for name, text in (_pair(each, "--spot-price") for each in texts)}


def _price(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no price of {name}", where="--spot-price", hint="USD an hour: 0.04") from error
    if not 0 <= value < float("inf"):
        raise UsageError(f"{text!r} is no price of {name}", where="--spot-price", hint="USD an hour: 0.04")
    return value
