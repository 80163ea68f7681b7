#!/usr/bin/env python3
"""Times whole segmentations by pySTEM and stemseg, in turns, on the same image.

Both get the same patch, window, stride, number of clusters and threads. pySTEM
runs in this process, warm, on an array that is in memory already; stemseg runs
as a process of its own each time: it also starts, reads the file, writes label
maps, an overlay and a report. Prints medians, their ratio, and how far the two
label maps agree. See README.md beside this file for the set-up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = {
    # name: (half patch = half window, stride, side of the crop or None)
    "default": (20, 5, None),
    "dense": (20, 1, 256),
    "figure": (100, 2, 512),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, help="a .npy file with a 2-D image")
    parser.add_argument("--stemseg", default="target/release/stemseg", help="the program")
    parser.add_argument("--case", choices=CASES, default="default")
    parser.add_argument("--clusters", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def run_pystem(image, half, stride, clusters):
    """Pixel labels by pySTEM's local correlation map, and seconds."""
    from pystem import segmentationSTEM

    begun = time.perf_counter()
    model = segmentationSTEM(
        descriptor_name="local_correlation_map",
        n_patterns=clusters,
        patch_x=half,
        patch_y=half,
        window_x=half,
        window_y=half,
        stride=stride,
        random_state=0,
    )
    labels = model.perform_clustering(image)
    return labels, time.perf_counter() - begun


def run_stemseg(program, path, half, stride, clusters, threads, folder):
    """Pixel labels by stemseg, seconds of the whole process, and its own timings."""
    command = [program, "segment", path, "-k", clusters, "--device", "cpu", "--patch", half]
    command += ["--window", half, "--stride", stride, "--out", folder, "--force", "--json"]
    begun = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
    )
    seconds = time.perf_counter() - begun
    import numpy

    return numpy.load(Path(folder) / "labels.npy"), seconds, json.loads(done.stdout)["timings_ms"]


def main():
    args = parse()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import numpy
    from sklearn.metrics import adjusted_rand_score

    half, stride, side = CASES[args.case]
    image = numpy.load(args.image)[:side, :side].astype(numpy.float32)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "image.npy"
        numpy.save(path, image)
        theirs, ours, stages = [], [], []
        for _ in range(args.repeats):
            expected, seconds = run_pystem(image, half, stride, args.clusters)
            theirs.append(seconds)
            labels, seconds, timings = run_stemseg(
                args.stemseg, path, half, stride, args.clusters, args.threads, Path(scratch) / "result"
            )
            ours.append(seconds)
            stages.append(timings["describe"] / 1000)
    margin = 2 * half
    inside = (slice(margin, -margin), slice(margin, -margin))
    agreement = adjusted_rand_score(numpy.ravel(expected[inside]), numpy.ravel(labels[inside]))
    slow, fast = statistics.median(theirs), statistics.median(ours)
    print(f"case {args.case}: {image.shape}, patch and window {half}, stride {stride}, {args.threads} threads")
    print(f"pySTEM   {slow:9.3f} s   (median of {args.repeats})")
    print(f"stemseg  {fast:9.3f} s   whole process; descriptors {statistics.median(stages):.3f} s, cold")
    print(f"ratio    {slow / fast:9.1f}")
    print(f"adjusted Rand index between the two, interior: {agreement:.3f}")


if __name__ == "__main__":
    sys.exit(main())
