#!/usr/bin/env python3
"""Adjusted Rand index of every family on a folder of images with truth.

Calls `stemseg bench --accuracy` twice for each column (scenes of smaller and of larger
cells) and prints markdown tables, a row for each scene, mid / high noise: with
--baseline one of the columns that pySTEM has too, with its figures next to it, then the rest.
Python alone, no packages.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

# pySTEM's figures were made with half sizes of 20 px, of 24 px for scenes of larger cells.
GROUPS = {
    20: "a_tilt_gb_fcc110_mid,a_tilt_gb_fcc110_high,b_,d_inversion,e_,f_,g_,h_polycrystal_6",
    24: "c_,d_chiral,i_",
}
# Column: arguments, {half} being the half size. The first ones have pySTEM's settings, ...
SAME = {
    "translation": "--descriptor translation --patch {half} --window {half}",
    "rotation, inner 5": "--descriptor rotation --radius {half} --window {half} --inner-stride 5",
    "reflection, inner 5": "--descriptor reflection --radius {half} --window {half} --inner-stride 5",
    "power spectrum": "--descriptor power-spectrum --window {half}",
}
# ... the others are the program's own.
OWN = {
    "rotation": "--descriptor rotation",
    "reflection": "--descriptor reflection",
    "glide": "--descriptor glide",
    "harmonic": "--descriptor harmonic",
    "intensity": "--descriptor intensity",
    "translation + harmonic": "--descriptor translation+harmonic",
    "reflection + glide": "--descriptor reflection+glide",
    "rotation + reflection": "--descriptor rotation+reflection",
    "translation + intensity": "--descriptor translation+intensity",
}
# Column: run in the baseline.
THEIRS = {
    "translation": "local_correlation_map",
    "rotation, inner 5": "rotational_symmetry_maximum_pooling",
    "reflection, inner 5": "reflection_symmetry_maximum_pooling",
    "power spectrum": "power_spectrum/patch0",
}
NOISE = ("mid", "high")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="images SCENE_mid.npy, SCENE_high.npy with SCENE_labels.npy")
    parser.add_argument("--stemseg", default="target/release/stemseg", help="the program")
    parser.add_argument("--baseline", type=Path, help="JSON with what pySTEM reaches")
    parser.add_argument("--columns", help="only these, separated by commas; or NAME=ARGUMENTS for others")
    parser.add_argument("--only", help="words of names, as in stemseg bench --only")
    parser.add_argument("--all", default="--device cpu", help="arguments of every call")
    parser.add_argument("--json", type=Path, help="keep the rows of all columns in this file")
    return parser.parse_args()


def columns(args):
    known = SAME | OWN
    if not args.columns:
        return known
    chosen = {}
    for word in args.columns.split(","):
        name, _, words = word.strip().partition("=")
        if not words and name not in known:
            sys.exit(f"--columns {name}: the columns are {', '.join(known)}")
        chosen[name] = words or known[name]
    return chosen


def judge(args, words):
    """The rows of one column."""
    rows = []
    for half, scenes in GROUPS.items():
        command = [args.stemseg, "bench", "--accuracy", args.folder, "--json", "--margin", 2 * half]
        command += shlex.split(words.format(half=half) + " " + args.all) + ["--only", args.only or scenes]
        command = [str(word) for word in command]
        print(shlex.join(command), file=sys.stderr, flush=True)
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        rows += [row for row in report["rows"] if row["name"].startswith(tuple(scenes.split(",")))]
    return rows


def scores(rows):
    return {row["name"]: row["adjusted_rand_index"] for row in rows}


def pystem(path):
    """pySTEM's index by run and image, at stride 5."""
    found = {}
    for row in json.loads(path.read_text())["results"]:
        if row["settings"]["stride"] == 5:
            found.setdefault(row["run"], {})[f"{row['case']}_{row['noise']}"] = row["ari_interior"]
    return found


def table(all_scores, scenes):
    def cell(scores, scene):
        values = [scores.get(f"{scene}_{noise}") for noise in NOISE]
        return " / ".join("-" if v is None else f"{v:.2f}" for v in values)

    def of_all(scores, measure):
        values = [scores[name] for scene in scenes for n in NOISE if (name := f"{scene}_{n}") in scores]
        return f"{measure(values):.3f}"

    lines = [
        "| scene | " + " | ".join(all_scores) + " |",
        "| --- |" + " --- |" * len(all_scores),
    ]
    for scene in scenes:
        lines.append(f"| {scene} | " + " | ".join(cell(s, scene) for s in all_scores.values()) + " |")
    for name, measure in (("mean", lambda v: sum(v) / len(v)), ("least", min)):
        lines.append(f"| **{name}** | " + " | ".join(of_all(s, measure) for s in all_scores.values()) + " |")
    return "\n".join(lines)


def main():
    args = parse()
    reports = {}
    for name, words in columns(args).items():
        reports[name] = judge(args, words)
        if args.json:
            args.json.write_text(json.dumps(reports, indent=1))
    theirs = pystem(args.baseline) if args.baseline else {}
    beside, alone = {}, {}
    for name, rows in reports.items():
        if THEIRS.get(name) in theirs:
            beside |= {f"pySTEM: {name}": theirs[THEIRS[name]], name: scores(rows)}
        else:
            alone[name] = scores(rows)
    names = sorted(row["name"] for row in next(iter(reports.values())))
    # Scenes with both levels of noise; larger ones of the folder have one.
    scenes = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in names))
    scenes = [scene for scene in scenes if all(f"{scene}_{noise}" in names for noise in NOISE)]
    print("\n\n".join(table(some, scenes) for some in (beside, alone) if some))


if __name__ == "__main__":
    main()
