from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from aws_auto.errors import AwsCallError, UsageError
from aws_auto.pipeline.collect import collect, is_simulated
from aws_auto.pipeline.ports import Batch, Window
from fakes import NOW, FakeClock, MemoryLake, ScriptedSource, memory_workspace

HOUR = timedelta(hours=1)
WINDOW = Window(NOW - 6 * HOUR, NOW)


def batch(window, *, final=True, dataset="metrics", keys=("resource_id", "timestamp")):
    hours = pl.datetime_range(window.start, window.end, "1h", closed="left", eager=True, time_zone="UTC")
    rows = pl.DataFrame({"timestamp": hours.dt.cast_time_unit("us")}).with_columns(
        resource_id=pl.lit("i-1"), cpu_utilization=pl.lit(1.0)
    )
    return Batch(dataset=dataset, rows=rows, window=window, final=final, keys=keys)


def hourly(window):
    """One batch an hour; the hour that ends now is still moving."""
    start = window.start
    while start < window.end:
        yield batch(Window(start, start + HOUR), final=start + HOUR < NOW)
        start += HOUR


def test_the_first_run_pulls_everything_and_closes_what_is_final():
    ws = memory_workspace()
    source = ScriptedSource(hourly)
    report = collect(ws, source, WINDOW)
    assert (report.batches, report.rows) == (6, 6)
    assert report.pulled == (WINDOW,)
    assert report.skipped == ()
    assert ws.lake.closed(source.scope) == [Window(NOW - 6 * HOUR, NOW - HOUR)]


def test_a_second_run_asks_only_for_what_is_new():
    ws = memory_workspace()
    source = ScriptedSource(hourly)
    collect(ws, source, WINDOW)
    report = collect(ws, source, WINDOW)
    assert source.asked == [WINDOW, Window(NOW - HOUR, NOW)]
    assert report.skipped == (Window(NOW - 6 * HOUR, NOW - HOUR),)
    assert ws.lake.datasets() == {"metrics": 6}


@pytest.mark.parametrize("kept", range(6))
def test_killed_after_any_batch_the_next_run_completes_without_a_gap_or_a_double(kept):
    ws = memory_workspace()

    def breaks(window):
        for number, one in enumerate(hourly(window)):
            if number == kept:
                raise KeyboardInterrupt
            yield one

    with pytest.raises(KeyboardInterrupt):
        collect(ws, ScriptedSource(breaks), WINDOW)
    source = ScriptedSource(hourly)
    collect(ws, source, WINDOW)
    assert source.asked == [Window(WINDOW.start + kept * HOUR, NOW)]
    assert ws.lake.scan("metrics").collect()["timestamp"].n_unique() == 6


def test_a_window_is_closed_only_after_its_rows_are_stored():
    class FullDisk(MemoryLake):
        def write(self, one):
            if one.window.start >= NOW - 3 * HOUR:
                raise AwsCallError("no space left")
            return super().write(one)

    ws = memory_workspace(lake=FullDisk())
    with pytest.raises(AwsCallError):
        collect(ws, ScriptedSource(hourly), WINDOW)
    assert ws.lake.closed("scripted:1") == [Window(NOW - 6 * HOUR, NOW - 3 * HOUR)]


def test_a_dry_run_shows_the_price_and_pulls_nothing():
    ws = memory_workspace()
    source = ScriptedSource(hourly)
    report = collect(ws, source, WINDOW, dry_run=True)
    assert (report.estimate.calls, report.estimate.price_usd) == (1, 0.01)
    assert report.pulled == (WINDOW,)
    assert source.asked == []
    assert ws.lake.datasets() == {}
    assert ws.journal.entries() == []


def test_the_price_is_announced_before_the_first_call_and_may_be_refused():
    ws = memory_workspace()
    source = ScriptedSource(hourly)

    def too_dear(estimate):
        assert source.asked == []
        raise AwsCallError(f"{estimate.price_usd} is too much")

    with pytest.raises(AwsCallError, match=r"0\.01 is too much"):
        collect(ws, source, WINDOW, announce=too_dear)
    assert source.asked == []


def test_nothing_open_means_nothing_to_pay():
    ws = memory_workspace()
    source = ScriptedSource(hourly)
    ws.lake.close(source.scope, WINDOW)
    report = collect(ws, source, WINDOW)
    assert (report.estimate.calls, report.estimate.price_usd, report.batches) == (0, 0.0, 0)
    assert "holds this window" in report.estimate.lines[0]
    assert source.asked == []


def test_holes_between_closed_windows_are_pulled_one_by_one_and_priced_together():
    ws = memory_workspace()
    source = ScriptedSource(hourly)
    ws.lake.close(source.scope, Window(NOW - 5 * HOUR, NOW - 4 * HOUR))
    report = collect(ws, source, WINDOW)
    assert source.asked == [Window(NOW - 6 * HOUR, NOW - 5 * HOUR), Window(NOW - 4 * HOUR, NOW)]
    assert report.estimate.price_usd == pytest.approx(0.02)
    assert report.estimate.lines == ("one call",)


def test_an_empty_answer_that_replaces_is_written_and_one_that_merges_is_not():
    class Counting(MemoryLake):
        writes = 0

        def write(self, one):
            self.writes += 1
            return super().write(one)

    nothing = Window(NOW, NOW)
    for keys, writes in (((), 1), (("resource_id", "timestamp"), 0)):
        lake = Counting()
        empty = Batch(dataset="billing", rows=batch(nothing).rows, window=WINDOW, keys=keys)
        collect(memory_workspace(lake=lake), ScriptedSource(lambda _, one=empty: iter([one])), WINDOW)
        assert lake.writes == writes
        assert lake.closed("scripted:1") == [WINDOW]


def test_the_journal_says_what_was_done():
    clock = FakeClock()
    ws = memory_workspace(clock)
    collect(ws, ScriptedSource(hourly), WINDOW)
    (entry,) = ws.journal.entries("collect")
    assert entry.detail["rows"] == 6
    assert entry.detail["windows"] == [[WINDOW.start.isoformat(), WINDOW.end.isoformat()]]


def test_progress_counts_seconds_of_the_window_and_ends_full():
    told = []
    collect(memory_workspace(), ScriptedSource(hourly), WINDOW, progress=lambda *step: told.append(step))
    done = [step[1] for step in told]
    assert done == sorted(done)
    assert told[0] == ("metrics", 3600, 6 * 3600)
    assert told[-1] == ("scripted", 6 * 3600, 6 * 3600)


def test_calls_are_reported_where_the_source_counts_them():
    class Metered(ScriptedSource):
        calls = 7

    assert collect(memory_workspace(), Metered(hourly), WINDOW).calls == 7
    assert collect(memory_workspace(), ScriptedSource(hourly), WINDOW).calls is None


@pytest.mark.parametrize("first", [True, False])
def test_simulated_and_real_data_do_not_share_a_workspace(first):
    ws = memory_workspace()
    collect(ws, ScriptedSource(hourly, simulated=first), WINDOW)
    stored = ws.lake.datasets()
    assert is_simulated(ws) is first
    other = ScriptedSource(hourly, simulated=not first, scope="other:1")
    with pytest.raises(UsageError, match="this workspace holds"):
        collect(ws, other, WINDOW)
    assert other.asked == []
    assert ws.lake.datasets() == stored


def test_an_answer_without_rows_decides_nothing_about_what_a_workspace_holds():
    ws = memory_workspace()
    nothing = batch(Window(NOW, NOW))
    collect(ws, ScriptedSource(lambda _: iter([nothing]), simulated=False), WINDOW)
    collect(ws, ScriptedSource(hourly, simulated=True, scope="other:1"), WINDOW)
    assert is_simulated(ws)


def test_a_dry_run_decides_nothing_about_what_a_workspace_holds():
    ws = memory_workspace()
    collect(ws, ScriptedSource(hourly, simulated=True), WINDOW, dry_run=True)
    collect(ws, ScriptedSource(hourly, simulated=False), WINDOW)
    assert not is_simulated(ws)
