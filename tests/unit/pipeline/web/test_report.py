"""Reports: one file, the decision first, our figure beside the simple rule's, everything escaped."""

import html
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from aws_auto.errors import MissingExtra
from aws_auto.pipeline.web import blocks
from aws_auto.pipeline.web.blocks import Facts, Section, Table, number, render
from aws_auto.pipeline.web.figures import differences, figure
from aws_auto.pipeline.web.report import monitor_report, train_report
from aws_auto.results import (
    BackTest,
    Calibration,
    Chart,
    ColumnDrift,
    Decision,
    DriftReport,
    Field,
    Interval,
    Line,
    Lineage,
    ModelVersion,
    Stage,
    TrainReport,
    as_json,
)

START = datetime(2026, 5, 1, tzinfo=UTC)
LINE = Line(name="observed", x=(START, START + timedelta(hours=1)), y=(1.0, 2.0))
CHART = Chart(title="Load", x_title="time", y_title="requests per hour", lines=(LINE,), note="Held-back week.")


def backtest(**changes):
    values = {
        "metric": "pinball loss",
        "unit": "requests",
        "ours": 8.0,
        "baseline": 10.0,
        "baseline_name": "same hour last week",
        "difference": Interval(-3.0, -1.0),
        "n": 28,
        "unit_of_n": "days",
    }
    return BackTest(**(values | changes))


def training(recipe="demand-forecaster", *, simulated=False, decision=Decision.PROMOTE, **changes):
    lineage = Lineage(
        data_fingerprint="9f2c1a",
        rows=40320,
        resources=12,
        start=START,
        end=START + timedelta(days=28),
        seed=7,
        versions={"polars": "2.1.0"},
        simulated=simulated,
    )
    values = {
        "reason": "Loss is 20 % lower than the simple rule's.",
        "backtests": (backtest(),),
        "calibration": (Calibration(what="80 % intervals", nominal=0.8, observed=0.783, n=672),),
        "charts": (CHART,),
        "notes": ("One resource was left out.",),
    }
    return TrainReport(recipe=recipe, decision=decision, lineage=lineage, **(values | changes))


def text(page):
    """What a reader sees: the body without scripts and tags."""
    body = page[page.index("<main>") : page.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def figures(page):
    return json.loads(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL).group(1))


class TestTrainReport:
    def test_the_decision_stands_before_the_evidence_and_the_lineage_at_the_end(self):
        seen = text(train_report([training()]))
        order = ["Use the new model. Loss is 20 %", "same hour last week", "80 % intervals", "Load", "fingerprint"]
        assert sorted(order, key=seen.index) == order

    def test_our_figure_stands_beside_the_baseline_the_interval_and_n(self):
        seen = text(train_report([training()]))
        assert "pinball loss (requests), lower is better" in seen
        assert " 8 " in seen
        assert "10 (same hour last week)" in seen
        assert "-3 to -1 (95%)" in seen
        assert "28 days" in seen

    @pytest.mark.parametrize(
        ("low", "high", "lower_is_better", "verdict"),
        [
            (-3.0, -1.0, True, "better"),
            (1.0, 3.0, True, "worse"),
            (-3.0, -1.0, False, "worse"),
            (1.0, 3.0, False, "better"),
            (-1.0, 1.0, True, "no difference shown"),
            (float("nan"), 1.0, True, "unknown"),
        ],
    )
    def test_ours_is_called_better_only_when_the_whole_interval_says_so(self, low, high, lower_is_better, verdict):
        test = backtest(difference=Interval(low, high), lower_is_better=lower_is_better)
        assert f"(95%) {verdict} 28 days" in text(train_report([training(backtests=(test,))]))

    @pytest.mark.parametrize(
        ("decision", "words"),
        [
            (Decision.PROMOTE, "Use the new model."),
            (Decision.KEEP_CHAMPION, "Keep the present champion."),
            (Decision.SIMPLE_RULE, "Use the simple rule."),
        ],
    )
    def test_every_decision_is_said_in_plain_words(self, decision, words):
        assert words in text(train_report([training(decision=decision)]))

    def test_simulated_figures_carry_a_banner_and_real_ones_do_not(self):
        assert text(train_report([training(simulated=True)])).strip().startswith("Simulated data")
        assert "Simulated" not in text(train_report([training()]))

    def test_a_mixed_report_says_which_figures_are_simulated(self):
        seen = text(train_report([training("a", simulated=True), training("b")]))
        assert "Simulated data: so are the figures of a, not those of the others." in seen

    def test_a_registered_version_gives_the_same_page_as_its_report_but_for_its_name(self):
        version = ModelVersion(
            name="demand",
            version=3,
            stage=Stage.CHAMPION,
            created_at=START,
            recipe="demand-forecaster",
            files={},
            schema=(Field(name="x", kind="number"),),
            report=json.loads(json.dumps(as_json(training()))),
        )
        ours, theirs = train_report([training("demand version 3 (champion)")]), train_report([version])
        assert text(theirs) == text(ours)
        assert figures(theirs) == figures(ours)

    def test_the_same_report_gives_the_same_bytes(self):
        assert train_report([training()]) == train_report([training()])

    def test_a_report_without_evidence_is_still_a_page(self):
        seen = text(train_report([training(backtests=(), calibration=(), charts=(), notes=())]))
        assert "Use the new model." in seen


class TestPage:
    def test_nothing_is_loaded_from_anywhere(self):
        page = train_report([training()])
        outside = page.replace(blocks._plotly_js(), "")
        assert "http" not in outside.replace("http-equiv", "")
        assert "default-src 'none'" in outside

    def test_text_of_strangers_is_escaped_everywhere(self):
        evil = "</script><script>alert(1)</script>"
        chart = Chart(title=evil, x_title=evil, y_title=evil, lines=(Line(name=evil, x=(evil,), y=(1.0,)),), note=evil)
        section = Section(
            title=evil,
            blocks=(evil, Table(columns=(evil,), rows=[(evil,)], title=evil), Facts(items={evil: evil}), chart),
        )
        page = render(evil, [section], lead=[evil], banner=evil)
        assert "alert(1)</script>" not in page
        assert figures(page)[0]["data"][0]["name"] == "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"

    def test_a_page_without_charts_needs_no_plotly_and_is_small(self, monkeypatch):
        forbid_plotly(monkeypatch)
        assert len(render("Plain", [Section(title="Words", blocks=("hello",))])) < 10_000

    def test_a_missing_plotly_is_a_missing_extra_with_the_command_to_get_it(self, monkeypatch):
        forbid_plotly(monkeypatch)
        with pytest.raises(MissingExtra, match="a report with charts needs plotly") as caught:
            train_report([training()])
        assert caught.value.hint == "pip install 'aws-auto[report]'"

    def test_figures_are_aligned_right_and_unknown_is_a_word(self):
        page = render("T", [Section(title="S", blocks=(Table(columns=("a", "b"), rows=[("x", 1234.5), ("y", None)]),))])
        assert "<td class=number>1,234</td>" in page
        assert "<td class=number>unknown</td>" in page

    def test_an_empty_table_has_its_head(self):
        assert "<th>a</th>" in render("T", [Section(title="S", blocks=(Table(columns=("a",), rows=[]),))])


class TestFigures:
    def test_axes_carry_their_titles_and_times_their_zone(self):
        layout = figure(CHART)["layout"]
        assert layout["xaxis"]["title"]["text"] == "time (UTC)"
        assert layout["yaxis"]["title"]["text"] == "requests per hour"

    def test_times_of_any_zone_are_shown_in_utc(self):
        line = Line(name="a", x=("2026-05-01T02:00:00+02:00", START), y=(1.0, 2.0))
        drawn = figure(Chart(title="t", x_title="x", y_title="y", lines=(line,)))
        assert drawn["data"][0]["x"] == ["2026-05-01 00:00:00"] * 2

    def test_a_band_is_not_drawn_over_a_gap(self):
        line = Line(name="f", x=(1, 2, 3, 4), y=(1.0,) * 4, low=(0.0, None, 0.5, 0.5), high=(2.0, 2.0, 1.5, 1.5))
        data = figure(Chart(title="t", x_title="x", y_title="y", lines=(line,)))["data"]
        assert [(t["x"], t["y"]) for t in data[:-1]] == [([1, 1], [2.0, 0.0]), ([3, 4, 4, 3], [1.5, 1.5, 0.5, 0.5])]

    def test_curves_differ_in_more_than_colour(self):
        lines = tuple(Line(name=str(k), x=(1, 2), y=(1.0, 2.0)) for k in range(4))
        data = figure(Chart(title="t", x_title="x", y_title="y", lines=lines))["data"]
        assert len({t["line"]["dash"] for t in data}) == 4

    @pytest.mark.parametrize(
        ("style", "kind", "mode"),
        [("points", "scatter", "markers"), ("bars", "bar", None), ("dashed", "scatter", "lines")],
    )
    def test_every_style_of_line_is_drawn_as_what_it_is(self, style, kind, mode):
        line = Line(name="a", x=(1, 2), y=(1.0, 2.0), style=style)
        trace = figure(Chart(title="t", x_title="x", y_title="y", lines=(line,)))["data"][0]
        assert (trace["type"], trace.get("mode")) == (kind, mode)

    def test_nan_is_a_gap(self):
        line = Line(name="a", x=(1, 2), y=(1.0, float("nan")))
        assert figure(Chart(title="t", x_title="x", y_title="y", lines=(line,)))["data"][0]["y"] == [1.0, None]

    def test_the_first_difference_stands_on_top_with_its_arms(self):
        drawn = differences([("a", -3.0, -2.0, 1.0), ("b", 0.0, 1.0, 2.0)], title="%")["data"][0]
        assert (drawn["y"], drawn["x"]) == (["b", "a"], [1.0, -2.0])
        assert drawn["error_x"]["array"] == [1.0, 3.0]
        assert drawn["error_x"]["arrayminus"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1234567.8, "1,234,568"), (0.012345, "0.01235"), (3.0, "3"), (float("inf"), "unknown"), (None, "unknown")],
)
def test_numbers_are_written_for_people(value, shown):
    assert number(value) == shown


def test_a_monitoring_report_says_the_status_first_and_shows_drifted_columns_on_top():
    def column(name, drifted):
        return ColumnDrift(
            column=name, distance=0.5, threshold=0.3, p_value=0.01, drifted=drifted, n_reference=700, n_current=24
        )

    drift = DriftReport(columns=(column("calm", False), column("wild", True)), not_judged={"empty": "no value"})
    breach = SimpleNamespace(metric="data_drift_score", value=0.5, rule="data_drift_score > 0.3", actions=("retrain",))
    model = SimpleNamespace(
        model="demand",
        version=2,
        simulated=True,
        readings={"data_drift_score": 0.5, "model_latency": None},
        drift=drift,
        prediction_drift=None,
        quality=SimpleNamespace(backtest=backtest()),
        breaches=(breach,),
        notes=("no truth has arrived",),
        status="drift",
    )
    # Quality is a dataclass in the product; here only its back-test is read.
    found = SimpleNamespace(
        at=START, window=SimpleNamespace(start=START, end=START + timedelta(days=1)), data=(), models=(model,)
    )
    seen = text(monitor_report(found))
    assert seen.strip().startswith("Simulated data")
    assert seen.index("demand version 2 Drift") < seen.index("data_drift_score is 0.5")
    assert seen.index("wild") < seen.index("calm")
    assert "Drift of the inputs: 1 of 2 columns" in seen
    assert "the rule data_drift_score > 0.3 asks for: retrain" in html.unescape(seen)
    assert "empty was not judged: no value" in seen
    assert "no truth has arrived" in seen


def forbid_plotly(monkeypatch):
    """An installation without the extra: None in the table of modules is Python's word for "not to be had"."""
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
