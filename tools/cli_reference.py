"""Write docs/cli.md from the command line's own help.

python tools/cli_reference.py [--check]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
HEAD = """# Command line

Made by `python tools/cli_reference.py` from `--help`; do not edit. Data goes to standard output, talk to standard
error. `--debug` anywhere on the line shows the traceback of an error.
"""


def commands() -> list[str]:
    """Names of the commands of ``aws-auto ml``, in their order; those of a group come after it."""
    from aws_auto.cli.ml import app

    names = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    for group in app.registered_groups:
        inner = group.typer_instance
        names.append(inner.info.name)
        names += [f"{inner.info.name} {c.name or c.callback.__name__}" for c in inner.registered_commands if c.callback]
    return names


def help_of(*words: str) -> str:
    """What ``aws-auto WORDS --help`` prints at 100 columns."""
    return subprocess.run(
        [sys.executable, "-m", "aws_auto", *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100", "AWS_AUTO_HOME": "", "AWS_AUTO_TARGET": ""},
    ).stdout.rstrip()


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(f"## {name}\n\n```text\n{help_of('ml', *name.split())}\n```\n" for name in commands())])


def main() -> None:
    """Write the page, or with ``--check`` say whether it is fresh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = page()
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/cli.md is stale: run python tools/cli_reference.py")
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
