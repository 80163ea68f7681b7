#!/usr/bin/env python3
"""Times pySTEM and stemseg in turns: the same images, settings and threads.

Repeats run one after another, so that whatever else the machine does
strikes both. Prints a markdown table with medians and their ratios.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import sys
import tempfile
from pathlib import Path


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stemseg", default="target/release/stemseg", help="the program")
    parser.add_argument("--size", type=int, default=1024, help="side of the simulated image, px")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="descriptors,whole,automatic,kmeans,pca,families", help="groups of cases, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small cases, to see that everything works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def limit_threads(threads):
    """Before numpy is imported: every library reads its variable once."""
    for name in ("OMP", "OPENBLAS", "MKL", "RAYON"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions():
    from importlib.metadata import version

    return {name: version(name) for name in ("pystem", "numpy", "scikit-learn", "scipy")}


def main():
    args = parse()
    limit_threads(args.threads)
    sys.dont_write_bytecode = True
    import cases
    import table

    with tempfile.TemporaryDirectory() as scratch:
        rows = cases.run(args, Path(scratch))
    report = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "threads": args.threads,
        "repeats": args.repeats,
        "versions": versions(),
        "command": shlex.join(["benches/versus_pystem/run.sh", *sys.argv[1:]]),
        "rows": rows,
    }
    print(json.dumps(report, indent=2) if args.json else table.markdown(report))


if __name__ == "__main__":
    main()
