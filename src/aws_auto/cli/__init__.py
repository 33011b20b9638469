"""The terminal: the only storey that imports typer or rich, and `main`, the only place that handles errors.

``--help`` must answer in 0.15 CPU-seconds, so this package imports nothing heavy: commands import what they need when
they run (tests/e2e/test_cli_start.py counts the modules).
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from aws_auto.errors import EXIT_BUG, EXIT_INTERRUPTED, AwsAutoError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    name="aws-auto",
    rich_markup_mode=None,  # rich help costs 0.3 CPU-seconds
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(epilog="Anywhere on the line: --debug shows the traceback of an error.  --version prints the version.")
def root() -> None:
    """Learns from what AWS knows about an estate: what is wrong, what is coming, what is wasted."""
    # No options here: typer would import pydantic to read them, which doubles the time of every --help.


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: 0, the code of the error's class, 130 when interrupted, 70 for a bug."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a character gets an escape, not an error
            stream.reconfigure(errors="backslashreplace")
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [a for a in args if a != "--debug"]
    try:
        with _ctrl_c_in_callbacks():
            _run(args)
    except (KeyboardInterrupt, SystemExit) as stopped:  # typer turns Ctrl-C inside a command into an exit of 130
        if isinstance(stopped, KeyboardInterrupt) or stopped.code == EXIT_INTERRUPTED:
            typer.echo("interrupted: what was stored stays; run the same line again to go on", err=True)
            sys.exit(EXIT_INTERRUPTED)
        raise
    except AwsAutoError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        if error.hint:
            typer.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        _report_bug(error, args)
        sys.exit(EXIT_BUG)


@contextmanager
def _ctrl_c_in_callbacks() -> Iterator[None]:
    """A Ctrl-C that meets Python code called back from C is dropped there, and the library fails instead: it counts."""
    before, dropped = sys.unraisablehook, []

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            dropped.append(unraisable.exc_type)
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    except Exception as error:
        if dropped:
            raise KeyboardInterrupt from error
        raise
    finally:
        sys.unraisablehook = before


def _run(args: list[str]) -> None:
    if args == ["--version"]:
        from importlib.metadata import version

        typer.echo(f"aws-auto {version('aws-auto')}")
        return
    from aws_auto.cli import ml

    if not any(group.name == "ml" for group in app.registered_groups):
        app.add_typer(ml.app, name="ml")
    app(args=args, prog_name="aws-auto")


def _report_bug(error: Exception, args: list[str]) -> None:
    """Write the traceback to a file and say where it is; arguments are kept, environment and data are not."""
    import platform
    import tempfile
    import traceback
    from importlib.metadata import version
    from pathlib import Path

    text = "".join(traceback.format_exception(error))
    header = f"aws-auto {version('aws-auto')}, Python {platform.python_version()}, {platform.platform()}\n{args}\n\n"
    with tempfile.NamedTemporaryFile("w", prefix="aws-auto-crash-", suffix=".txt", delete=False) as file:
        file.write(header + text)
    typer.echo(f"this is a bug in aws-auto: {type(error).__name__}: {error}", err=True)
    typer.echo(f"hint: please report it with the file {Path(file.name)}, or repeat with --debug", err=True)
