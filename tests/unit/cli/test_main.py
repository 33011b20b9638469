"""`main` is the only handler: every error becomes a sentence, a next step and an exit code."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

import pytest

from aws_auto import cli
from aws_auto.errors import ConfigError, DataError, Problem, UnsafePlan


def run(capsys, raised, *argv):
    """What the user sees when a command raises that."""

    @cli.app.command("raise-for-a-test", hidden=True)
    def command() -> None:
        raise raised

    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["raise-for-a-test", *argv])
    finally:
        cli.app.registered_commands.pop()
    return stopped.value.code, capsys.readouterr()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("the file is empty", where="m.csv", hint="collect again"), 3),
        (UnsafePlan("too much", hint="look first"), 7),
        (ConfigError([Problem("a.yaml", 1, 2, "x", "no")]), 2),
    ],
)
def test_an_error_of_ours_is_a_sentence_with_a_next_step_and_the_code_of_its_class(capsys, error, code):
    got, seen = run(capsys, error)
    assert got == code
    assert seen.err == f"error: {error}\nhint: {error.hint}\n"
    assert seen.out == ""


def test_a_bug_is_reported_with_a_file_that_holds_the_traceback_and_the_command(capsys):
    code, seen = run(capsys, ZeroDivisionError("division by zero"))
    assert code == 70
    assert "this is a bug in aws-auto: ZeroDivisionError" in seen.err
    path = Path(re.search(r"with the file (\S+),", seen.err)[1])
    text = path.read_text()
    path.unlink()
    assert "Traceback" in text
    assert "raise-for-a-test" in text


def test_debug_shows_the_traceback_of_an_error_instead(capsys):
    with pytest.raises(DataError):
        run(capsys, DataError("x"), "--debug")


def test_an_interrupt_is_130_and_says_how_to_go_on(capsys):
    code, seen = run(capsys, KeyboardInterrupt())
    assert code == 130
    assert "interrupted: what was stored stays; run the same line again" in seen.err


def test_an_interrupt_that_a_library_swallows_is_130_all_the_same(capsys):
    @ctypes.CFUNCTYPE(None)
    def called_back():
        raise KeyboardInterrupt

    @cli.app.command("fail-for-a-test", hidden=True)
    def command() -> None:
        called_back()
        raise RuntimeError("the callback gave nothing")

    before = sys.unraisablehook
    try:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["fail-for-a-test"])
    finally:
        cli.app.registered_commands.pop()
    assert stopped.value.code == 130
    assert "Traceback" not in (said := capsys.readouterr().err)
    assert "interrupted: what was stored stays" in said
    assert sys.unraisablehook is before


def test_a_wrong_flag_is_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["ml", "train-models", "--modls", "x"])
    assert stopped.value.code == 2
    assert "--models" in capsys.readouterr().err


def test_the_version_is_one_line(capsys):
    cli.main(["--version"])
    assert re.fullmatch(r"aws-auto \d+\.\d+\.\d+\n", capsys.readouterr().out)
