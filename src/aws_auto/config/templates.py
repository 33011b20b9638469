"""The starting points that are shipped: in the wheel as ``aws_auto/_templates``, in a checkout as ``templates``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aws_auto.errors import UsageError

_KINDS = ("pipelines", "ml-models")


def names() -> tuple[str, ...]:
    """What `template` knows, pipelines first."""
    return tuple(_files())


def template(name: str) -> str:
    """The YAML text of a template such as ``pipelines/complete`` or ``ml-models/anomaly-detector``.

    Raises:
        UsageError: there is none of that name.
    """
    return path(name).read_text(encoding="utf-8")


def path(name: str) -> Path:
    """Where the template's file lies.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return _files()[name]
    except KeyError:
        raise UsageError(f"there is no template {name!r}", hint=f"there are {', '.join(names())}") from None


@cache
def _files() -> dict[str, Path]:
    package = Path(__file__).parents[1]
    shipped = package / "_templates"
    root = shipped if shipped.is_dir() else package.parents[1] / "templates"
    return {f"{kind}/{file.stem}": file for kind in _KINDS for file in sorted((root / kind).glob("*.yaml"))}
