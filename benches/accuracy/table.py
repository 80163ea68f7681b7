#!/usr/bin/env python3
"""Prints the table of ACCURACY.md for a folder of images with truth, from the JSON of
`stemseg bench --accuracy FOLDER --json`; with the JSON of an earlier version before it, what that
reached next to it."""

import argparse
import json
from pathlib import Path


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="JSON of stemseg bench --accuracy")
    parser.add_argument("--before", type=Path, help="the same of an earlier version")
    return parser.parse_args()


def rows(path):
    return {row["name"]: row for row in json.loads(path.read_text())["rows"]}


def main():
    args = parse()
    found, before = rows(args.bench), rows(args.before) if args.before else {}
    head = ["image", "patterns", "chosen", "index", "IoU of each pattern", "px off"]
    print("| " + " | ".join(head + (["index before"] if before else [])) + " |")
    print("|" + " --- |" * (len(head) + bool(before)))
    for name, row in found.items():
        off = row["boundary_displacement"]
        cells = [
            name,
            str(row["clusters"]),
            "-" if row["chosen"] is None else str(row["chosen"]),
            f"{row['adjusted_rand_index']:.3f}",
            ", ".join(f"{iou:.2f}" for iou in row["ious"]),
            "-" if off is None else f"{off:.1f}",
        ]
        if before:
            cells.append(f"{before[name]['adjusted_rand_index']:.3f}" if name in before else "-")
        print("| " + " | ".join(cells) + " |")
    indices = [row["adjusted_rand_index"] for row in found.values()]
    right = sum(row["chosen"] == row["clusters"] for row in found.values())
    print(f"\nMean {sum(indices) / len(indices):.4f}, least {min(indices):.3f}; the right number is chosen on "
          f"{right} of {len(found)}.")


if __name__ == "__main__":
    main()
