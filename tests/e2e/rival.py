"""A process that uses a workspace as hard as it can: ``python rival.py ROOT NAME ROUNDS``; prints its claims."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main():
    root, name, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    spec = importlib.util.spec_from_file_location("workload", Path(__file__).with_name("workload.py"))
    workload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(workload)
    claims = 0
    for number in range(rounds):
        ws = workload.start(root)
        ws.lake.write(workload._batch("metrics", 0, 3, **{f"cpu_{name}": float(number), "shared": f"{name}{number}"}))
        version = ws.registry.register(workload.NAME, workload._model(f"{name}{number}".encode()))
        ws.registry.promote(workload.NAME, version.version, reason=name)
        if number % 2:
            ws.registry.rollback(workload.NAME, reason=name)
        ws.journal.append("round", by=name, number=number)
        claims += ws.scheduler.claim("train")
    print(claims)  # noqa: T201 - what the test asks for


if __name__ == "__main__":
    main()
