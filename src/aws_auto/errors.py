"""Every error a user can meet, in one tree.

::

    AwsAutoError 1
    +-- UsageError 2            the command line does not make sense
    +-- ConfigError 2           one or more located problems in YAML
    +-- DataError 3             the data cannot be used as it is
    |   +-- SchemaError         columns missing or mistyped
    |   +-- DuplicateError      two rows claim the same resource and time
    |   +-- GapError            too much is missing
    |   +-- NotEnoughData       too little to say anything
    +-- ModelError 4
    |   +-- NotFitted           asked to predict before training
    |   +-- ModelNotFound       no such model or version in the registry
    |   +-- ArtifactError       a model file is damaged, foreign or unsafe
    |   +-- QualityGate         the model did not earn promotion
    +-- TargetError 5
    |   +-- CredentialsError    AWS does not know who we are
    |   +-- AwsCallError        AWS refused a call
    |   +-- DeliveryError       a webhook or dashboard refused a call
    |   +-- ConflictError       somebody else changed it meanwhile
    +-- RolloutFailed 6         a release was judged worse and rolled back
    +-- UnsafePlan 7            the plan does too much to be applied unasked
    +-- MissingExtra 8          an optional dependency is not installed
    +-- NotYet 9                documented, planned, not built: said plainly

Exit codes that are no error of ours: 10 drift found (only with ``--exit-code``), 70 a bug, 130 interrupted.

An error is a sentence with an address and a next step. ``message`` says what and why, ``where`` says at which
file, column or resource, ``hint`` says what to do next; ``str()`` joins the first two, the command line adds the
hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

EXIT_DRIFT = 10
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class AwsAutoError(Exception):
    """Root of the tree: catch this to catch anything that aws-auto raises on purpose."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint or self.default_hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(AwsAutoError):
    """The command line does not make sense."""

    exit_code = 2
    default_hint = "run the command with --help to see its options"


@dataclass(frozen=True, order=True)
class Problem:
    """One fault at one place of a configuration file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        suggestion = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}{suggestion}"


class ConfigError(AwsAutoError):
    """All problems found in the configuration, sorted by file, line and column."""

    exit_code = 2
    default_hint = "correct the lines above, then run `aws-auto ml validate` on the file"

    def __init__(self, problems: list[Problem] | tuple[Problem, ...], *, hint: str | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column, p.path, p.message)))
        super().__init__("\n".join(map(str, self.problems)), hint=hint)


class DataError(AwsAutoError):
    """The data cannot be used as it is."""

    exit_code = 3


class SchemaError(DataError):
    """Columns are missing, or hold values of another type."""


class DuplicateError(DataError):
    """Two rows claim the same resource and time, and the caller asked for that to be refused."""


class GapError(DataError):
    """Too much of the series is missing."""


class NotEnoughData(DataError):
    """There is too little data to say anything honest."""

    default_hint = "collect a longer window (--window 30d) or wait for more data"


class ModelError(AwsAutoError):
    """Something is wrong with a model."""

    exit_code = 4


class NotFitted(ModelError):
    """Asked to predict before training."""

    default_hint = "train first, for example: aws-auto ml train-models --models anomaly-detector"


class ModelNotFound(ModelError):
    """No such model, version or stage in the registry."""

    default_hint = "list what is registered with: aws-auto ml models"


class ArtifactError(ModelError):
    """A model file is damaged, foreign or unsafe, and was not loaded."""

    default_hint = "train the model again, or roll back to a version whose files are intact"


class QualityGate(ModelError):
    """The model did not earn promotion."""


class TargetError(AwsAutoError):
    """The place we deploy to, or read from, refused."""

    exit_code = 5


class CredentialsError(TargetError):
    """AWS does not know who we are."""

    default_hint = "log in (aws sso login), or run without an account: --target local --data-source sample"


class AwsCallError(TargetError):
    """AWS refused a call."""


class DeliveryError(TargetError):
    """A webhook or a dashboard server refused a call."""


class ConflictError(TargetError):
    """Somebody else changed the same thing meanwhile."""

    default_hint = "look at the current state and run the command again"


class RolloutFailed(AwsAutoError):
    """A release was judged worse than the one before it, and rolled back."""

    exit_code = 6


class UnsafePlan(AwsAutoError):
    """The plan does too much to be applied unasked."""

    exit_code = 7


class MissingExtra(AwsAutoError):
    """An optional dependency is not installed."""

    exit_code = 8

    def __init__(self, package: str, extra: str, *, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed",
            hint=f"pip install 'aws-auto[{extra}]'",
        )


class NotYet(AwsAutoError):
    """Documented and planned, but not built yet; nothing was done."""

    exit_code = 9
