"""What a schedule keeps of the command line that made it."""

from __future__ import annotations

from dataclasses import replace

from aws_auto.cli.options import DataSource
from aws_auto.cli.training import Request

ASKED = Request(
    models=("anomaly-detector",),
    data_source=(DataSource.FILE,),
    path=("/data/m.csv",),
    window="14d",
    seed=3,
    region="eu-west-1",
)


def test_a_stored_request_is_read_back_as_it_was_asked():
    assert Request.of(ASKED.argv("anomaly-detector")) == ASKED


def test_a_stored_path_does_not_depend_on_the_folder_that_cron_starts_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = Request.of(replace(ASKED, path=("m.csv", "s3://bucket/m.csv")).argv("anomaly-detector"))
    assert stored.path == (str(tmp_path / "m.csv"), "s3://bucket/m.csv")
