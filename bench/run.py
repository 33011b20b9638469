"""Run every benchmark and collect their JSON in one file.

python bench/run.py [--json FILE] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    names = sorted(p.stem for p in HERE.glob("*.py") if p.stem != "run")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; default all")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(names)):
        sys.exit(f"no bench is called {', '.join(unknown)}; there are {', '.join(names)}")
    figures, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or names:
            print(f"== {name}", flush=True)
            out = Path(folder) / f"{name}.json"
            done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), "--json", str(out)], check=False)
            if done.returncode:
                failed.append(name)
            if out.exists():
                figures[name] = json.loads(out.read_text())
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
