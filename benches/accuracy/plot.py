#!/usr/bin/env python3
"""Draws what the automatic settings reach on a folder of images with truth, next to the best
of pySTEM's families for each image: an SVG, from `stemseg bench --accuracy FOLDER --json`.

Needs matplotlib.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "stemseg", "font.family": "sans-serif"})
from matplotlib import pyplot

OURS, THEIRS = "#e69f00", "#8a8a8a"
NOISE = {"mid": "o", "high": "D"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="JSON of stemseg bench --accuracy")
    parser.add_argument("baseline", type=Path, help="JSON with what pySTEM reaches")
    parser.add_argument("out", type=Path, help="the SVG")
    return parser.parse_args()


def best(path):
    """Of each scene and noise the largest index of pySTEM's runs."""
    found = defaultdict(float)
    for row in json.loads(path.read_text())["results"]:
        if (value := row.get("ari_interior")) is not None:
            key = row["case"], row["noise"]
            found[key] = max(found[key], value)
    return found


def main():
    args = parse()
    ours = {}
    for row in json.loads(args.bench.read_text())["rows"]:
        scene, noise = row["name"].rsplit("_", 1)
        ours[scene, noise] = row["adjusted_rand_index"]
    theirs = best(args.baseline)
    scenes = sorted({scene for scene, _ in ours}, reverse=True)
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(scenes) + 1))
    for noise, marker in NOISE.items():
        for values, colour, name in ((theirs, THEIRS, "pySTEM, its best family"), (ours, OURS, "stemseg, automatic")):
            points = [(values[scene, noise], y) for y, scene in enumerate(scenes) if (scene, noise) in values]
            if not points:
                sys.exit(f"nothing of {name} at {noise} noise")
            offset = 0.12 if noise == "mid" else -0.12
            axes.scatter(
                [x for x, _ in points], [y + offset for _, y in points], s=36, marker=marker, color=colour,
                label=f"{name}, {noise} noise", zorder=3,
            )
    axes.set_yticks(range(len(scenes)), [scene.replace("_", " ") for scene in scenes])
    axes.set_xlabel("adjusted Rand index, interior")
    axes.set_xlim(-0.03, 1.02)
    axes.grid(axis="x", color="#dddddd")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=2, frameon=False)
    figure.savefig(args.out, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
