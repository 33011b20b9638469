"""The doors to the outside world, as duties. Use cases know only these; ``local/`` and ``aws/`` fulfil them.

Duties that hold for every port: times are aware and in UTC; a call either does all of its work or none of it; two
processes may use the same workspace at once; a process may be killed at any moment and the next one finds either the
old or the new state. Adapters raise only errors of `aws_auto.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime, timedelta
    from pathlib import Path

    import polars as pl

    from aws_auto.config.document import Document
    from aws_auto.ml.cost.ledger import LedgerEntry, Status
    from aws_auto.pipeline.plan import Change, Resource
    from aws_auto.results import ModelVersion, Promotion, TrainedModel


class Clock(Protocol):
    """The only way to learn the time, or to wait."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, order=True)
class Window:
    """A half-open span of time, ``start <= t < end``, in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """``end - start``."""
        return self.end - self.start

    def without(self, closed: Iterable[Window]) -> list[Window]:
        """The parts of this window that no closed window covers, in order."""
        parts, cursor = [], self.start
        for window in sorted(closed):
            if window.end <= cursor or window.start >= self.end:
                continue
            if window.start > cursor:
                parts.append(Window(cursor, window.start))
            cursor = max(cursor, window.end)
        if cursor < self.end:
            parts.append(Window(cursor, self.end))
        return parts


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a pull will cost before it is made: API calls, dollars, and one sentence per kind of call."""

    calls: int
    price_usd: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows for one dataset of the lake.

    Attributes:
        dataset: ``metrics``, ``resources``, ``billing``, ``logs``, ``truth``.
        rows: has a column ``timestamp`` (UTC).
        keys: identity of a row, ``timestamp`` among them: rows merge column by column, new values that are not null
            win. Empty: rows replace all in ``window``.
        window: the span that these rows speak for.
        final: True when the span will never change again, so that it is not asked for a second time.
    """

    dataset: str
    rows: pl.DataFrame
    window: Window
    keys: tuple[str, ...] = ("resource_id", "timestamp")
    final: bool = True


class Source(Protocol):
    """Where data comes from.

    ``scope`` names the account, region or file, so that the lake remembers what it has from where. ``simulated``
    sources are labelled wherever a figure of theirs is shown.
    """

    @property
    def name(self) -> str:
        """The word of ``--data-source``."""
        ...

    @property
    def scope(self) -> str:
        """What it reads: an account and region, or the files in their present versions."""
        ...

    @property
    def simulated(self) -> bool:
        """True when no figure of it is about a real account."""
        ...

    def estimate(self, window: Window) -> Estimate:
        """What `pull` would cost; makes no paid call."""
        ...

    def pull(self, window: Window) -> Iterator[Batch]:
        """The data of that window, in batches that can each be stored at once.

        Raises:
            DataError: a file or an answer is not what it should be.
            TargetError: AWS refused.
        """
        ...


class Lake(Protocol):
    """Datasets by time. A dataset is a table with a column ``timestamp``, partitioned by year, month and day."""

    def write(self, batch: Batch) -> int:
        """Merge or replace, in one step for the whole batch; returns the rows stored."""
        ...

    def scan(self, dataset: str, window: Window | None = None) -> pl.LazyFrame:
        """The rows of that window, an empty frame with no columns when the dataset does not exist."""
        ...

    def datasets(self) -> Mapping[str, int]:
        """Names and row counts."""
        ...

    def closed(self, scope: str) -> list[Window]:
        """Spans that a source of this scope has delivered for good, merged and sorted."""
        ...

    def close(self, scope: str, window: Window) -> None:
        """Remember that the span needs no second pull."""
        ...


class Registry(Protocol):
    """Model versions, who is champion, and who was when."""

    def register(self, name: str, model: TrainedModel) -> ModelVersion:
        """Store the files by content and give the next version number, as a candidate."""
        ...

    def promote(self, name: str, version: int, *, reason: str) -> ModelVersion:
        """Make it champion; the former champion becomes archived.

        Raises:
            ModelNotFound: no such version.
        """
        ...

    def rollback(self, name: str, *, reason: str) -> ModelVersion:
        """Make the champion before the present one champion again.

        Raises:
            ModelNotFound: there was none before.
        """
        ...

    def champion(self, name: str) -> ModelVersion | None:
        """The version that answers now."""
        ...

    def champion_at(self, name: str, at: datetime) -> ModelVersion | None:
        """The version that answered at that time, with the stage that it has now."""
        ...

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, newest first."""
        ...

    def history(self, name: str) -> list[Promotion]:
        """Every promotion and rollback, newest first."""
        ...

    def files(self, version: ModelVersion) -> dict[str, bytes]:
        """The model's files, each checked against its SHA-256.

        Raises:
            ArtifactError: a file is missing or was changed.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A job run again and again: ``every`` is hourly, daily, weekly, monthly or a five-field cron line (UTC)."""

    job: str
    every: str
    command: tuple[str, ...]
    last_run: datetime | None = None
    next_run: datetime | None = None


class Scheduler(Protocol):
    """Remembers schedules; on one machine cron calls ``--if-due``, on AWS EventBridge does."""

    def put(self, schedule: Schedule) -> Schedule:
        """Store or replace the schedule of that job; returns it with ``next_run`` set."""
        ...

    def all(self) -> list[Schedule]:
        """Every schedule, by job."""
        ...

    def claim(self, job: str) -> bool:
        """True for exactly one caller when the job is due now; moves ``next_run`` on. Safe to call every minute."""
        ...

    def remove(self, job: str) -> None:
        """Forget it; nothing happens when it is not there."""
        ...


class Target(Protocol):
    """Where models are deployed."""

    @property
    def name(self) -> Literal["local", "aws"]:
        """Which of the two it is."""
        ...

    def desired(self, document: Document, champions: Mapping[str, int]) -> tuple[list[Resource], list[str]]:
        """What the document means here, and notes for whoever reads the plan. Reads nothing.

        ``champions`` is the version that answers, by recipe; a recipe without a champion is not in it.
        """
        ...

    def observe(self) -> Mapping[str, Resource]:
        """What is there and is ours, by key. Reads only."""
        ...

    def apply(self, change: Change) -> None:
        """Do one change of a plan.

        Raises:
            TargetError: the target refused; nothing is half done.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something a person should know. ``key`` is stable for the same trouble, so that channels can deduplicate."""

    key: str
    severity: Literal["info", "warning", "critical"]
    title: str
    text: str
    model: str
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


class Notifier(Protocol):
    """Tells people."""

    name: str

    def send(self, alert: Alert) -> None:
        """Deliver, or raise.

        Raises:
            DeliveryError: not configured, refused or unreachable; says which and what to set.
        """
        ...


class Dashboard(Protocol):
    """Shows figures over time."""

    name: str

    def publish(self, dashboard: Mapping[str, Any]) -> str:
        """Create or replace the dashboard; returns where it can be seen.

        Raises:
            DeliveryError: not configured, refused or unreachable; says which and what to set.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the journal."""

    at: datetime
    kind: str
    detail: Mapping[str, Any]


class Journal(Protocol):
    """What was done, when and why; append-only."""

    def append(self, kind: str, **detail: Any) -> None:  # noqa: ANN401 - plain JSON
        """Write one line."""
        ...

    def entries(self, kind: str | None = None, limit: int = 100) -> Sequence[Entry]:
        """Newest first."""
        ...


class Ledger(Protocol):
    """What was recommended, and what became of it."""

    def say(self, entries: Sequence[LedgerEntry]) -> None:
        """Remember what is recommended now, all of it or nothing; what was decided stays as it was decided on."""
        ...

    def entries(self) -> list[LedgerEntry]:
        """All of them, first said first."""
        ...

    def decide(
        self, entry_id: str, status: Status, *, applied_on: date | None = None, because: str = ""
    ) -> LedgerEntry:
        """Enter a decision in place of any earlier one.

        Raises:
            UsageError: there is no such entry.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a detection stands.

    Attributes:
        at: everything before it was judged.
        states: what the model remembers of each resource.
        seen: how many values of each resource there were between the end of training and ``at``: more of them by now
            means that some came late.
    """

    at: datetime
    states: Mapping[str, bytes]
    seen: Mapping[str, int]


class Checkpoints(Protocol):
    """What a detection that comes back every few minutes remembers from one run to the next."""

    def get(self, name: str, variant: str) -> Checkpoint | None:
        """The last one that was put for that model in that version and with those settings, None without one."""
        ...

    def put(self, name: str, variant: str, checkpoint: Checkpoint) -> None:
        """Keep it in place of the one before, all of it or nothing; forgets the oldest of a model's many variants."""
        ...


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Everything a use case may touch, wired in one place: `aws_auto.pipeline.workspace.open_workspace`."""

    root: Path
    clock: Clock
    lake: Lake
    registry: Registry
    scheduler: Scheduler
    target: Target
    journal: Journal
    ledger: Ledger
    checkpoints: Checkpoints
