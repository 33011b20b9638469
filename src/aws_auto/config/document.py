"""The configuration as one frozen document: ``load`` files or ``loads`` text; every problem is located and shown.

Several files are one document: each top-level key may stand in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError

from aws_auto.config.data import DataPipeline
from aws_auto.config.deployment import MLModelDeployment
from aws_auto.config.marks import Mark, Marked, Path, read
from aws_auto.config.model import Model
from aws_auto.config.monitoring import ModelMonitoring
from aws_auto.config.sentences import complaints
from aws_auto.errors import ConfigError


class Budget(Model):
    """What may be spent."""

    monthly_usd: float = Field(gt=0, allow_inf_nan=False, description="a plan that costs more is not applied unasked")


class Document(Model):
    """Everything that the files said. What no file said is None."""

    ml_model_deployment: MLModelDeployment | None = None
    model_monitoring: ModelMonitoring | None = None
    data_pipeline: DataPipeline | None = None
    target: Literal["auto", "local", "aws"] | None = None
    budget: Budget | None = None

    _marks: dict[Path, Mark] = PrivateAttr(default_factory=dict)

    def sections(self) -> tuple[str, ...]:
        """The top-level keys that the files hold, in the order of the specification."""
        return tuple(name for name in type(self).model_fields if name in self.model_fields_set)

    def where(self, path: str | Path) -> str:
        """``file:line:column`` of a path such as ``ml_model_deployment.models.0.instance_type``.

        A path that no file has, because its value is a default, is placed at the nearest mapping above it.
        """
        steps = tuple(path.split(".")) if isinstance(path, str) else tuple(map(str, path))
        by_text = {tuple(map(str, p)): mark for p, mark in self._marks.items()}
        for length in range(len(steps), 0, -1):
            if steps[:length] in by_text:
                return str(by_text[steps[:length]])
        return "defaults"


def load(paths: FilePath | str | Iterable[FilePath | str]) -> Document:
    """Read one file, or several as one document.

    Raises:
        ConfigError: all problems of all files, sorted by file and line.
    """
    files = [paths] if isinstance(paths, FilePath | str) else paths
    return _document([_read(FilePath(file)) for file in files])


def loads(text: str | bytes, file: str = "<text>") -> Document:
    """Read one document from text; ``file`` is its name in problems.

    Raises:
        ConfigError: all problems, sorted by line.
    """
    return _document([read(text, file)])


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the document, for editors that complete and check YAML."""
    schema = Document.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "aws-auto"}


def _read(path: FilePath) -> Marked:
    try:
        return read(path.read_bytes(), str(path))
    except OSError as error:
        marked = Marked(str(path))
        marked.complain((), f"the file cannot be read: {error.strerror or error}")
        return marked


def _document(parts: list[Marked]) -> Document:
    whole = _merged(parts)
    try:
        document = Document.model_validate(whole.data)
    except ValidationError as errors:
        for complaint in complaints(errors.errors(include_url=False), whole.data, Document):
            if complaint.path not in whole.spoilt:
                whole.complain(complaint.path, complaint.message, hint=complaint.hint)
    if whole.problems:
        raise ConfigError(whole.problems)
    document._marks = whole.marks  # noqa: SLF001 - set once, by the function that makes it
    return document


def _merged(parts: list[Marked]) -> Marked:
    """All files as one; a top-level key that stands in two of them is a problem that names both places."""
    whole = Marked(parts[0].file if parts else "<none>")
    for part in parts:
        whole.problems += part.problems
        whole.spoilt |= part.spoilt
        twice = {key for key in part.data if key in whole.data}
        for key in sorted(twice):
            first = whole.mark((key,))
            whole.complain((key,), "this key stands in two files", hint=f"first at {first}", at=part.mark((key,)))
        whole.data |= {k: v for k, v in part.data.items() if k not in twice}
        whole.marks |= {p: mark for p, mark in part.marks.items() if p and p[0] not in twice}
    return whole
