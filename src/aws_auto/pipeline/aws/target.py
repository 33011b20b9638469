"""The AWS target: plans what stacks would contain; applying comes with the CloudFormation engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aws_auto.errors import NotYet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.config.document import Document
    from aws_auto.pipeline.plan import Change, Resource


class AwsTarget:
    """`Target` that reads and writes nothing in AWS yet, and says so."""

    name: Literal["aws"] = "aws"

    def desired(self, document: Document, champions: Mapping[str, int]) -> tuple[list[Resource], list[str]]:
        """What the document means in AWS; see `aws_auto.pipeline.aws.desired`."""
        from aws_auto.pipeline.aws.desired import desired_aws

        return desired_aws(document, champions)

    def observe(self) -> Mapping[str, Resource]:
        """Nothing: no call is made, so every plan starts from an empty account."""
        return {}

    def apply(self, change: Change) -> None:
        """Refuse.

        Raises:
            NotYet: always.
        """
        raise NotYet(
            "deploying to AWS is not built yet; nothing was created",
            where=type(change).__name__,
            hint="see what it would contain with --dry-run, or deploy here with --target local",
        )
