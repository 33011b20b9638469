"""The call graph that X-Ray has drawn from traces."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.ports import Window

PERMISSIONS = ("xray:GetServiceGraph",)
#: The last hours of a window say who calls whom; what was called days ago may be gone.
SPAN = timedelta(hours=6)


def service_graph(caller: Caller, window: Window) -> dict[str, Any]:
    """The graph of the end of a window, as ``GetServiceGraph`` gives it, all pages in one.

    Raises:
        AwsCallError: a call failed.
    """
    start = max(window.start, window.end - SPAN)
    pages = caller.pages("xray", "GetServiceGraph", {"StartTime": start, "EndTime": window.end})
    return {"Services": [service for page in pages for service in page.get("Services", ())]}
