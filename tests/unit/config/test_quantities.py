"""Durations, percentages, S3 addresses and thresholds."""

import subprocess
import sys
from datetime import timedelta

import pytest

from aws_auto.config.units import Duration, Percent, S3Uri, Threshold, UnitError
from aws_auto.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("30s", 30),
        ("30m", 1800),
        ("1.5h", 5400),
        ("90 days", 90 * 86400),
        ("1w", 7 * 86400),
        ("2y", 2 * 365 * 86400),
        (" 1 hour ", 3600),
        ("0s", 0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, seconds):
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("half an hour", "'half an hour' is not a duration; write a number and a unit, such as 30m"),
        (30, "30 has no unit; write 30s, 30m or 30h"),
        (True, "True is not a duration; write a number and a unit, such as 30m"),
        ("30M", "'30M' is not a duration: the unit is one of ms, s, m, h, d, w, y; m is minutes"),
        ("-5m", "'-5m' is not a duration; write a number and a unit, such as 30m"),
        ("1h30m", "'1h30m' is not a duration; write a number and a unit, such as 30m"),
        ("٣m", "'٣m' is not a duration; write a number and a unit, such as 30m"),
        ("101y", "'101y' is longer than a hundred years"),
        ("", "'' is not a duration; write a number and a unit, such as 30m"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_write(value, sentence):
    with pytest.raises(UnitError) as caught:
        Duration.parse(value)
    assert caught.value.message == sentence


def test_a_unit_error_is_a_usage_error_for_the_command_line_and_a_value_error_for_pydantic():
    with pytest.raises(UsageError):
        Duration.parse("soon")
    with pytest.raises(ValueError, match="soon"):
        Duration.parse("soon")


def test_a_long_text_is_cut_before_it_is_shown():
    with pytest.raises(UnitError) as caught:
        Duration.parse("9" * 5000)
    assert len(caught.value.message) < 150


@pytest.mark.parametrize("text", ["200ms", "30s", "30m", "1h", "30d", "2y", "0.5ms", "0ms"])
def test_a_duration_writes_itself_as_it_was_written(text):
    assert str(Duration.parse(text)) == text


def test_a_duration_helps_with_days_milliseconds_and_arithmetic():
    day = Duration.parse("36h")
    assert (day.days, day.milliseconds, day.timedelta()) == (1.5, 129_600_000, timedelta(hours=36))


@pytest.mark.parametrize(
    ("value", "percent"), [(10, 10), ("10%", 10), ("10", 10), (0, 0), (1, 1), (100, 100), ("0.5%", 0.5)]
)
def test_a_percentage_counts_in_hundredths(value, percent):
    assert Percent.parse(value).value == percent
    assert Percent.parse(value).ratio == percent / 100


@pytest.mark.parametrize(("value", "percent"), [(0.95, 95), ("95%", 95), (1, 100), (0, 0), ("0.01", 1)])
def test_a_share_is_a_fraction_of_one_or_a_percentage(value, percent):
    assert Percent.share(value) == Percent(percent)


@pytest.mark.parametrize(
    ("read", "value", "part"),
    [
        (Percent.parse, 0.1, "0.1 could mean 0.1% or 10%"),
        (Percent.parse, 101, "is not between 0% and 100%"),
        (Percent.parse, -1, "is not between 0% and 100%"),
        (Percent.parse, float("nan"), "is not a percentage"),
        (Percent.parse, "ten", "'ten' is not a percentage; write a number such as 10, or 10%"),
        (Percent.parse, True, "is not a percentage"),
        (Percent.share, 95, "95 is not between 0 and 1; write a fraction such as 0.95, or 95%"),
        (Percent.share, "101%", "is not between 0% and 100%"),
    ],
)
def test_a_percentage_that_could_mean_two_things_or_nothing_is_refused(read, value, part):
    with pytest.raises(UnitError) as caught:
        read(value)
    assert part in caught.value.message


def test_an_s3_address_has_a_bucket_and_a_key():
    uri = S3Uri.parse("s3://scaling-data-bucket/in/2024/")
    assert (uri.bucket, uri.key, str(uri)) == ("scaling-data-bucket", "in/2024/", "s3://scaling-data-bucket/in/2024/")
    assert str(S3Uri.parse("s3://scaling-data-bucket")) == "s3://scaling-data-bucket/"


@pytest.mark.parametrize(
    "value",
    ["scaling-data", "https://x.com/a", "s3://", "s3://Upper/x", "s3://a..b/x", "s3://10.0.0.1/x", "s3://ab", 5],
)
def test_an_address_that_s3_would_refuse_is_refused(value):
    with pytest.raises(UnitError):
        S3Uri.parse(value)


@pytest.mark.parametrize(
    ("value", "number", "kind", "text"),
    [
        (0.85, 0.85, "number", "0.85"),
        (3, 3.0, "number", "3"),
        ("-1.5", -1.5, "number", "-1.5"),
        ("200ms", 0.2, "duration", "200ms"),
        ("95%", 0.95, "percent", "95%"),
    ],
)
def test_a_threshold_is_a_number_a_duration_or_a_percentage_in_base_units(value, number, kind, text):
    threshold = Threshold.parse(value)
    assert (threshold.value, threshold.kind, str(threshold)) == (number, kind, text)
    assert Threshold.parse(str(threshold)) == threshold


@pytest.mark.parametrize(
    "value", ["much", "", None, True, float("inf"), float("nan"), 1e200, "5 parsecs", (1,), {"a": 1}]
)
def test_what_is_no_threshold_is_refused(value):
    with pytest.raises(UnitError):
        Threshold.parse(value)


def test_units_load_without_pydantic_and_yaml():
    code = (
        "import sys, aws_auto.config.units; print(sorted({'pydantic', 'yaml', 'numpy', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
