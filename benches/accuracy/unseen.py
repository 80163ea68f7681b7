#!/usr/bin/env python3
"""The tables of ACCURACY.md on images that no setting was chosen on: simulates them with `stemseg
simulate`, compares label maps with the truth, and prints a Markdown table for each section.

    unseen.py FOLDER [--sim FOLDER] [--sections pairs,doses,scenes,sizes,large,crystals,steps,lamellae,confidence]

What is simulated stays in FOLDER. `--sim` holds the scenes with SCENE_labels.npy that `sizes` and `steps`
take too. Needs NumPy, SciPy and tifffile.
"""

import argparse
import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

PAIRS = (
    "p1,p2 p2,p2mm pm,pg pm,cm pg,cm p2mm,p2mg p2mg,p2gg p2gg,c2mm p4,p4mm p4,p4gm p4mm,p4gm "
    "p3,p3m1 p3,p31m p3m1,p31m p3,p6 p6,p6mm p31m,p6mm"
).split()
DOSES = (5, 10, 20, 40, 80, 160)
DOSE_PAIRS = "p1,p2 pm,pg p4,p4gm p3m1,p31m p6,p6mm".split()
SCENES = (
    "coherent-precipitates crystal-edge inversion-domains ordered-precipitates polycrystal "
    "rectangular-oblique square-hexagonal tilt-boundary twins"
).split()
STEPS = {
    "all": "",
    "principal components instead of factors (`--reduce pca`)": "--reduce pca",
    "neither averages nor cores (`--smooth 0`)": "--smooth 0",
    "harmonics pooled by their maximum (`--pool maximum`)": "--pool maximum",
    "centred translations alone (`--preset auto --descriptor centred-translation`)":
        "--preset auto --descriptor centred-translation",
    "harmonics alone (`--preset auto --descriptor harmonic`)": "--preset auto --descriptor harmonic",
    "no resampling, components, nearest site (`--preset pystem --descriptor translation+harmonic`)":
        "--preset pystem --descriptor translation+harmonic",
    "the paper's method (`--preset pystem`)": "--preset pystem",
}
CRYSTALS = (512, 1024, 2048)
LARGE = (1024, 2048, 3072, 4096)
LAMELLAE = (2, 3, 4, 6, 10)
CELL = 20
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0 + 1e-6)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where simulated images go")
    parser.add_argument("--sim", type=Path, help="scenes with truth, for the sections sizes and steps")
    parser.add_argument("--stemseg", default="target/release/stemseg", help="the program")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="only these")
    return parser.parse_args()


class Program:
    """The program and where its images go."""

    def __init__(self, stemseg, folder):
        self.stemseg, self.folder = stemseg, folder

    def run(self, *words):
        command = [self.stemseg, *map(str, words)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def simulate(self, name, scene, *words):
        """An image with truth in FOLDER/NAME."""
        out = self.folder / name
        if not (out / "labels.npy").exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            self.run("simulate", *scene.split(), *words, "--out", out, "--force", "--quiet")
        return out

    def judge(self, folder, words="", only=None):
        """The rows of `stemseg bench --accuracy`, by name."""
        command = ["bench", "--accuracy", folder, "--json", "--device", "cpu", *shlex.split(words)]
        command += ["--only", only] if only else []
        return {row["name"]: row for row in json.loads(self.run(*command))["rows"]}


def table(head, rows):
    head = [str(cell) for cell in head]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def indices(rows):
    return np.array([row["adjusted_rand_index"] for row in rows])


def displacement(rows):
    return np.mean([row["boundary_displacement"] for row in rows])


def summed_up(rows):
    rows = list(rows)
    right = sum(row["chosen"] == row["clusters"] for row in rows)
    found = indices(rows)
    print(f"Mean {found.mean():.3f}, least {found.min():.3f}, {displacement(rows):.1f} px off; "
          f"the right number is chosen on {right} of {len(rows)}.\n")


def pairs(program, _sim):
    """Pairs of plane groups that share a lattice, all 17 groups among them."""
    make_pairs(program)
    rows = program.judge(program.folder / "pairs")
    table(["pair", "index", "px off"], [
        (name.replace("_", ", "), f"{row['adjusted_rand_index']:.3f}", f"{row['boundary_displacement']:.1f}")
        for name, row in rows.items()
    ])
    summed_up(rows.values())


def make_pairs(program):
    for seed, pair in enumerate(PAIRS, 901):
        groups = pair.replace(",", " ")
        program.simulate(f"pairs/{pair.replace(',', '_')}", f"plane-groups {groups}", "--dose", 40, "--seed", seed)


def doses(program, _sim):
    """Five of these pairs at falling dose."""
    seed = 901 + len(PAIRS)
    for pair in DOSE_PAIRS:
        for dose in DOSES:
            groups, name = pair.replace(",", " "), pair.replace(",", "_")
            program.simulate(f"doses/{dose}/{name}", f"plane-groups {groups}", "--dose", dose, "--seed", seed)
            seed += 1
    found = [list(program.judge(program.folder / "doses" / str(dose)).values()) for dose in DOSES]
    table(["counts", *DOSES], [
        ("mean index", *(f"{indices(rows).mean():.3f}" for rows in found)),
        ("least", *(f"{indices(rows).min():.3f}" for rows in found)),
        ("px off", *(f"{displacement(rows):.1f}" for rows in found)),
    ])


def scenes(program, _sim):
    """The simulator's other scenes, four of each."""
    lines, every = [], []
    for scene in SCENES:
        for i in range(4):
            words = ["--dose", 30, "--seed", 811 + i]
            if scene == "polycrystal":
                words = ["--dose", 30, "--seed", 801 + i, "--grains", 2 + i]
            program.simulate(f"scenes/{scene}/{i}", scene, *words)
        rows = list(program.judge(program.folder / "scenes" / scene).values())
        found = indices(rows)
        lines.append((scene, f"{found.mean():.3f}", f"{found.min():.3f}", f"{displacement(rows):.1f}"))
        every += rows
    table(["scene", "mean index", "least", "px off"], lines)
    summed_up(every)


def sizes(program, sim):
    """All scenes at mid noise, reduced and enlarged."""
    same = program.judge(sim, only="_mid")
    for factor in (0.5, 1.5, 3):
        out = program.folder / "sizes" / str(factor)
        out.mkdir(parents=True, exist_ok=True)
        for name in (name for name in same if not name.endswith("1024_mid")):
            image = np.load(sim / f"{name}.npy").astype(np.float32)
            labels = np.load(sim / f"{name.removesuffix('_mid')}_labels.npy")
            if factor < 1:
                image = ndimage.uniform_filter(image, round(1 / factor), origin=-1)
            np.save(out / f"{name}.npy", ndimage.zoom(image, factor, order=1 if factor < 1 else 3, grid_mode=True, mode="nearest"))
            np.save(out / f"{name}_labels.npy", ndimage.zoom(labels, factor, order=0, grid_mode=True, mode="nearest"))
        rows = program.judge(out, f"--margin {round(40 * factor)}")
        lost = {name: same[name]["adjusted_rand_index"] - row["adjusted_rand_index"] for name, row in rows.items()}
        worst = max(lost, key=lost.get)
        print(f"x {factor}: mean {indices(rows.values()).mean():.3f}; most is lost on {worst}: {lost[worst]:.3f}\n")


def large(program, _sim):
    """Images of many sites, of one crystal and of more."""
    kinds = [("polycrystal", ["--grains", n]) for n in (3, 6)]
    kinds += [(scene, []) for scene in ("plane-groups p4 p4mm", "square-hexagonal", "twins", "plane-group p2", "plane-group p6mm")]
    lines = []
    for size in LARGE:
        for seed, (scene, words) in enumerate(kinds, 3001):
            name = "-".join([*scene.split(), *map(str, words[1:])])
            program.simulate(f"large/{size}/{name}", scene, *words, "--size", size, "--seed", seed)
        rows = list(program.judge(program.folder / "large" / str(size)).values())
        found, right = indices(rows), sum(row["chosen"] == row["clusters"] for row in rows)
        lines.append((size, f"{found.mean():.4f}", f"{found.min():.4f}", f"{right} of {len(rows)}"))
    table(["size, px", "mean index", "least", "right number"], lines)


def crystals(program, _sim):
    """One crystal of each plane group at a time: how many are left whole."""
    groups = sorted({group for pair in PAIRS for group in pair.split(",")})
    lines = []
    for size in CRYSTALS:
        for i, group in enumerate(groups):
            for seed in (5001 + 10 * i, 5002 + 10 * i):
                name = f"crystals/{size}/{group}_{seed}"
                program.simulate(name, f"plane-group {group}", "--size", size, "--seed", seed)
        rows = program.judge(program.folder / "crystals" / str(size))
        cut = [name for name, row in rows.items() if row["chosen"] != 1]
        lines.append((size, f"{len(rows) - len(cut)} of {len(rows)}", ", ".join(cut)))
    table(["size, px", "left whole", "cut"], lines)


def steps(program, sim):
    """What each step of the method is worth."""
    make_pairs(program)
    lines = []
    for name, words in STEPS.items():
        cells = []
        for folder in (sim, program.folder / "pairs"):
            rows = program.judge(folder, words)
            found = indices(row for name, row in rows.items() if "1024" not in name)
            cells.append(f"{found.mean():.3f} / {found.min():.3f}")
        lines.append((name, *cells))
    table(["settings", "scenes", "pairs"], lines)


def lamellae(program, _sim):
    """Lamellae of p4 in p4mm, next to a wide region of p4 and without one; and three with gaps."""
    crystals = {}
    for group in ("p4mm", "p4"):
        words = ["--cell", CELL, "--dose", "none", "--jitter", 0, "--gradient", 0, "--seed", 7]
        out = program.simulate(f"lamellae_of/{group}", f"plane-group {group}", *words)
        crystals[group] = np.load(out / "image.npy").astype(np.float64)

    def judged(name, inside):
        out = program.folder / "lamellae" / name
        out.mkdir(parents=True, exist_ok=True)
        image = np.where(inside, crystals["p4"], crystals["p4mm"])
        image = np.random.default_rng(3).poisson(60 * image / image.mean())
        np.save(out / "a.npy", image.astype(np.float32))
        np.save(out / "a_labels.npy", inside.astype(np.uint8) + 1)
        (row,) = program.judge(out).values()
        return f"{row['adjusted_rand_index']:.2f} ({row['chosen']})"

    row, col = np.indices(crystals["p4"].shape)
    lone, near, three = [], [], []
    for cells in LAMELLAE:
        width = cells * CELL
        strip = (col >= 200) & (col < 200 + width)
        lone.append(judged(f"lone_{cells}", strip))
        near.append(judged(f"near_{cells}", strip | (row >= 320)))
        start = [100 + i * (width + 2.5 * CELL) for i in range(3)]
        three.append(judged(f"three_{cells}", np.any([(col >= s) & (col < s + width) for s in start], axis=0)))
    table(["lamella of ... cells", *LAMELLAE], [
        ("next to a wide region of its kind", *near), ("alone", *lone), ("three, 2.5 cells apart", *three),
    ])


def confidence(program, _sim):
    """What share of the pixels of each confidence is right, on 26 images of two to five patterns."""
    kinds = [(f"{scene}_{dose}", scene, ["--dose", dose]) for scene in SCENES if scene != "polycrystal" for dose in (15, 60)]
    kinds += [(f"grains_{n}", "polycrystal", ["--dose", 30, "--grains", n]) for n in (3, 5)]
    kinds += [(pair, f"plane-groups {pair.replace(',', ' ')}", ["--dose", 25]) for pair in PAIRS[::2][:8]]
    shares, rights, means, total = np.zeros(7), np.zeros(7), np.zeros(7), 0
    for seed, (name, scene, words) in enumerate(kinds, 2001):
        size = (384, 448, 512)[seed % 3]
        out = program.simulate(f"confidence/{name}", scene, *words, "--seed", seed, "--size", size)
        truth = np.load(out / "labels.npy")[40:-40, 40:-40]
        result = program.folder / "confidence" / f"{name}.result"
        words = ["-k", truth.max(), "--device", "cpu", "--out", result, "--force", "--quiet"]
        program.run("segment", out / "image.npy", *words)
        found = np.load(result / "labels.npy")[40:-40, 40:-40]
        sure = tifffile.imread(result / "confidence.tif")[40:-40, 40:-40]
        right = np.zeros(found.shape, bool)
        for label in np.unique(found):  # of each pattern, the true one that most of it is
            own = found == label
            right |= own & (truth == np.bincount(truth[own]).argmax())
        which = np.digitize(sure, BINS) - 1
        for i in range(7):
            of = which == i
            shares[i] += of.sum()
            rights[i] += right[of].sum()
            means[i] += sure[of].sum()
        total += found.size
    table(["confidence", "share of the pixels", "mean", "right"], [
        (f"{low:g} to {min(high, 1):.3g}", f"{100 * n / total:.1f} %", f"{m / max(n, 1):.3f}", f"{r / max(n, 1):.3f}")
        for low, high, n, m, r in zip(BINS, BINS[1:], shares, means, rights)
    ])


SECTIONS = {f.__name__: f for f in (pairs, doses, scenes, sizes, large, crystals, steps, lamellae, confidence)}


def main():
    args = parse()
    program = Program(args.stemseg, args.folder)
    for name in args.sections.split(","):
        print(f"## {name}: {SECTIONS[name].__doc__}\n", flush=True)
        SECTIONS[name](program, args.sim)


if __name__ == "__main__":
    main()
