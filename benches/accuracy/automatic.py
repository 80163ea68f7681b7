#!/usr/bin/env python3
"""The tables and the picture of ACCURACY.md on what `stemseg segment` does by default: runs
`stemseg bench --accuracy` on folders of images with truth.

    automatic.py FOLDER... [--baseline BASELINE.json [--plot accuracy.svg]] [--before ROWS.json] [--keep ROWS.json]

With the indices of pySTEM's families as `--baseline`, scenes at two levels of noise (SCENE_mid,
SCENE_high) are tabulated next to the best of these for each image. `--plot` needs matplotlib.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

OURS, THEIRS = "#e69f00", "#8a8a8a"
NOISE = {"mid": "o", "high": "D"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="images with truth, as bench --accuracy takes them")
    parser.add_argument("--stemseg", default="target/release/stemseg", help="the program")
    parser.add_argument("--baseline", type=Path, help="JSON with what pySTEM reaches")
    parser.add_argument("--plot", type=Path, help="draw this SVG of the scenes next to the baseline")
    parser.add_argument("--keep", type=Path, help="keep the rows in this file")
    parser.add_argument("--before", type=Path, help="rows that were kept: tell what they reached")
    args = parser.parse_args()
    if args.plot and not args.baseline:
        parser.error("--plot needs --baseline")
    return args


def judged(stemseg, folder):
    """The rows of a folder, by name."""
    command = [stemseg, "bench", "--accuracy", str(folder), "--device", "cpu", "--json"]
    rows = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["rows"]
    return {row["name"]: row for row in rows}


def best(path):
    """Of each scene and noise the largest index of pySTEM's runs."""
    found = defaultdict(float)
    for row in json.loads(path.read_text())["results"]:
        if (value := row.get("ari_interior")) is not None:
            key = row["case"], row["noise"]
            found[key] = max(found[key], value)
    return found


def table(head, lines):
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for line in lines:
        print("| " + " | ".join(line) + " |")
    print()


def off(row):
    value = row["boundary_displacement"]
    return "-" if value is None else f"{value:.1f}"


def scenes(rows, theirs):
    """Scenes at both levels of noise, next to the best of pySTEM's families; gives their indices."""
    names = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in rows))
    names = [scene for scene in names if all(f"{scene}_{noise}" in rows for noise in NOISE)]
    lines, ours = [], {}
    for scene in names:
        of = [rows[f"{scene}_{noise}"] for noise in NOISE]
        ours |= {(scene, noise): row["adjusted_rand_index"] for noise, row in zip(NOISE, of)}
        lines.append((
            scene,
            " / ".join(f"{theirs[scene, noise]:.3f}" for noise in NOISE),
            " / ".join(f"{ours[scene, noise]:.3f}" for noise in NOISE),
            " / ".join(map(off, of)),
        ))
    table(["scene", "pySTEM, its best family", "automatic", "px off"], lines)
    values, of_theirs = list(ours.values()), [theirs[key] for key in ours]
    print(f"Means {sum(of_theirs) / len(of_theirs):.3f} and {sum(values) / len(values):.4f}, least "
          f"{min(of_theirs):.3f} and {min(values):.3f}.\n")
    return ours


def images(rows, before):
    """Every image, with what it reached before."""
    head = ["image", "patterns", "chosen", "index", "IoU of each pattern", "px off"]
    lines = []
    for name, row in rows.items():
        line = [
            name,
            str(row["clusters"]),
            "-" if row["chosen"] is None else str(row["chosen"]),
            f"{row['adjusted_rand_index']:.3f}",
            ", ".join(f"{iou:.2f}" for iou in row["ious"]),
            off(row),
        ]
        if before:
            line.append(f"{before[name]['adjusted_rand_index']:.3f}" if name in before else "-")
        lines.append(line)
    table(head + (["index before"] if before else []), lines)


def summed_up(rows):
    indices = [row["adjusted_rand_index"] for row in rows.values()]
    right = sum(row["chosen"] == row["clusters"] for row in rows.values())
    print(f"Mean {sum(indices) / len(indices):.4f}, least {min(indices):.3f}; the right number is chosen on "
          f"{right} of {len(rows)}.\n")


def plot(ours, theirs, out):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "stemseg", "font.family": "sans-serif"})
    from matplotlib import pyplot

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
    figure.savefig(out, bbox_inches="tight", metadata={"Date": None})


def main():
    args = parse()
    before = json.loads(args.before.read_text()) if args.before else {}
    theirs = best(args.baseline) if args.baseline else {}
    every = {}
    for folder in args.folders:
        print(f"## {folder.name}\n", flush=True)
        rows = judged(args.stemseg, folder)
        every |= rows
        paired = theirs and any(tuple(name.rsplit("_", 1)) in theirs for name in rows)
        if paired:
            ours = scenes(rows, theirs)
            if args.plot:
                plot(ours, theirs, args.plot)
        else:
            images(rows, before)
        summed_up(rows)
    if args.keep:
        args.keep.write_text(json.dumps(every, indent=1))


if __name__ == "__main__":
    main()
