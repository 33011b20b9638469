"""What all parts of the document have in common: frozen, strict, and no key that nobody reads."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aws_auto.config.quantities import Percent, bucket_name, shown


class Model(BaseModel):
    """A mapping of known keys. Lists are tuples; YAML's types are taken as they are, never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MisfitError(ValueError):
    """A value that does not fit its place; ``at`` is the path below the value that raises it."""

    def __init__(self, message: str, *, at: tuple[str | int, ...] = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint


def unique(names: list[str], what: str, *, under: tuple[str | int, ...], key: str | None = "name") -> None:
    """Refuse a list in which a name stands twice.

    Raises:
        MisfitError: at the second of them.
    """
    for position, name in enumerate(names):
        if name in names[:position]:
            at = (*under, position) if key is None else (*under, position, key)
            raise MisfitError(f"{what} {shown(name)} stands here a second time", at=at)


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", value):
        raise MisfitError(
            f"{shown(value)} is not a name: 1 to 63 letters, digits, hyphens and underscores, no hyphen at the ends"
        )
    return value


def _percent_of_share(value: object) -> Percent:
    return value if isinstance(value, Percent) else Percent.share(value)


def one_of(known: tuple[str, ...], value: str, what: str) -> str:
    """The value, unless it is a known one but for a letter or two: then it is a typing error.

    Raises:
        MisfitError: near to a known one, but not equal to it.
    """
    if value in known:
        return value
    # A longer name is another name: model_latency_p99 is no misspelt model_latency.
    near = [n for n in get_close_matches(value, known, len(known), 0.8) if abs(len(n) - len(value)) <= 2]
    if near:
        raise MisfitError(f"{shown(value)} is no {what}", hint=f"did you mean {near[0]!r}?")
    return value


#: A name of something in the document.
Name = Annotated[str, AfterValidator(_name)]
#: A name that S3 would accept for a bucket.
BucketName = Annotated[str, AfterValidator(bucket_name)]
#: A share that the specification writes as a fraction: 0.95, or 95%.
Share = Annotated[Percent, BeforeValidator(_percent_of_share), Field(examples=[0.95, "95%"])]
#: A number of things, at least one.
Count = Annotated[int, Field(ge=1)]
