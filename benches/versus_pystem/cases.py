"""The cases. Each gives rows of seconds: one list for either program, repeat by
repeat, and a factor where pySTEM saw only a part of the image.

pySTEM is used through its own functions, warm, on arrays in memory. It is under
the GPL: it is run here, none of its code is part of this repository.
"""

import sys
import time

import numpy
from stemseg import Stemseg

# name: (half patch = half window, stride, side of pySTEM's crop or None, pySTEM's methods)
DESCRIPTORS = {
    "patch and window 20, stride 5": (20, 5, None, ("direct", "fft")),
    "patch and window 20, stride 1": (20, 1, 256, ("direct", "fft")),
    "patch and window 100, stride 2": (100, 2, 464, ("direct", "fft")),
}
QUICK = {
    "patch and window 20, stride 5": (20, 5, None, ("direct", "fft")),
    "patch and window 20, stride 1": (20, 1, 100, ("direct", "fft")),
}
POINTS = 100  # most translations, pySTEM's default


def run(args, scratch):
    """Rows of all groups of cases that were asked for."""
    program = Stemseg(args.stemseg, scratch)
    size = 200 if args.quick else args.size
    image = program.simulate(size)
    groups = {
        "descriptors": lambda: descriptors(args, program, image),
        "whole": lambda: whole(args, program, image),
        "automatic": lambda: automatic(args, program, image),
        "kmeans": lambda: k_means(args, program),
        "pca": lambda: pca(args, program, image),
        "families": lambda: families(args, program, image),
    }
    wanted = args.only.split(",")
    if unknown := set(wanted) - set(groups):
        sys.exit(f"--only {','.join(sorted(unknown))}: the groups are {', '.join(groups)}")
    return [row for name in wanted for row in groups[name]()]


def sizes(half, stride):
    return ["--patch", half, "--window", half, "--stride", stride]


def say(what):
    print(what, file=sys.stderr, flush=True)


def seconds(work):
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def in_turns(repeats, *programs):
    """Times of each of `programs`, which take turns; one turn first is not counted."""
    for program in programs:
        program()
    return [list(times) for times in zip(*[[program() for program in programs] for _ in range(repeats)])]


def row(case, other, theirs, ours, factor=1.0, note=""):
    return {"case": case, "other": other, "theirs_s": theirs, "ours_s": ours, "factor": factor, "note": note}


def sites(side, half, stride):
    """Number of sites of a square image."""
    return (-(-(side - 4 * half) // stride)) ** 2


def descriptors(args, program, image):
    """Descriptors alone, warm on both sides."""
    from pystem.stemdescriptor import get_descriptor

    rows = []
    for name, (half, stride, side, methods) in (QUICK if args.quick else DESCRIPTORS).items():
        say(f"descriptors: {name}")
        full = len(image)
        crop = image[:side, :side]

        def theirs(method):
            call = lambda: get_descriptor(crop, half, half, half, half, POINTS, stride, True, method)
            return lambda: seconds(call)[0]

        def ours():
            return program.bench(image, "descriptors", half, stride) / 1e3

        times = in_turns(args.repeats, *[theirs(method) for method in methods], ours)
        factor = sites(full, half, stride) / sites(len(crop), half, stride)
        note = f"pySTEM on {side} x {side} px, scaled by the number of sites (x {factor:.4g})" if side else ""
        rows += [
            row(f"descriptors, {full} px, {name}", f"pySTEM {method}", theirs, times[-1], factor, note)
            for method, theirs in zip(methods, times)
        ]
    return rows


def whole(args, program, image):
    """Whole segmentations. stemseg from process start to files written; pySTEM
    without its import, from an array to an array."""
    from pystem import segmentationSTEM
    from sklearn.metrics import adjusted_rand_score

    cases = [("patch and window 20, stride 5", 20, 5, None)]
    if not args.quick:
        cases += [
            ("patch and window 20, stride 1", 20, 1, 256),
            ("patch and window 100, stride 2", 100, 2, 464),
        ]
    rows = []
    for name, half, stride, side in cases:
        say(f"whole runs: {name}")
        part = numpy.ascontiguousarray(image[:side, :side])
        labels, cold = {}, []

        def theirs():
            model = segmentationSTEM(
                n_patterns=3, stride=stride, patch_x=half, patch_y=half, window_x=half, window_y=half, random_state=0
            )
            time, labels["theirs"] = seconds(lambda: model.perform_clustering(part))
            return time

        def ours():
            time, labels["ours"], timings = program.segment(part, "-k", 3, "--preset", "pystem", *sizes(half, stride))
            cold.append(timings["describe"] / 1e3)
            return time

        slow, fast = in_turns(args.repeats, theirs, ours)
        inside = (slice(2 * half, -2 * half),) * 2
        agreement = adjusted_rand_score(labels["theirs"][inside].ravel(), labels["ours"][inside].ravel())
        note = (
            f"agreement {agreement:.3f} (adjusted Rand index, interior); stemseg's descriptors with covariance, "
            f"cold: {1e3 * numpy.median(cold[1:]):.3g} ms"
        )
        rows.append(row(f"whole run, {len(part)} px, {name}, k = 3", "pySTEM", slow, fast, note=note))
    return rows


def automatic(args, program, image):
    """The program's own settings compared with pySTEM's, with and without the number of patterns."""
    from pystem import segmentationSTEM

    say("whole runs: automatic settings")

    def theirs():
        model = segmentationSTEM(n_patterns=3, random_state=0)
        return seconds(lambda: model.perform_clustering(image))[0]

    def ours(*words):
        return lambda: program.segment(image, *words)[0]

    slow, given, chosen = in_turns(args.repeats, theirs, ours("-k", 3), ours("-k", "auto"))
    note = "from process start to files and report written; pySTEM's default settings, from an array to an array"
    name = f"whole run, {len(image)} px, automatic settings"
    return [
        row(f"{name}, k = 3", "pySTEM", slow, given, note=note),
        row(f"{name}, k chosen", "pySTEM", slow, chosen, note="the same; pySTEM is told k = 3"),
    ]


def k_means(args, program):
    """One Lloyd iteration of 1e6 x 5 points, k = 8: for scikit-learn the difference
    of two runs over that of their iterations, so that its set-up does not count."""
    from sklearn.cluster import KMeans

    say("k-means")
    few, many = 2, 42
    random = numpy.random.default_rng(0)
    # Without structure, so that no run converges before its last iteration.
    points = random.random((100_000 if args.quick else 1_000_000, 5), dtype=numpy.float32)
    start = points[:8].copy()

    def fit(iterations):
        model = KMeans(8, init=start, n_init=1, max_iter=iterations, tol=0, algorithm="lloyd")
        return seconds(lambda: model.fit(points))

    def theirs():
        (short, one), (long, other) = fit(few), fit(many)
        return (long - short) / (other.n_iter_ - one.n_iter_)

    def ours():
        return program.bench(None, "k-means-million", 20, 5) / 1e3

    slow, fast = in_turns(args.repeats, theirs, ours)
    factor = 1_000_000 / len(points)
    note = "" if factor == 1 else f"scikit-learn with {len(points)} points, scaled"
    return [row("k-means iteration, 1e6 x 5, k = 8", "scikit-learn", slow, fast, factor, note)]


def pca(args, program, image):
    """Sums for the covariance, and the whole of PCA, from descriptors in memory."""
    from pystem.stemdescriptor import get_descriptor
    from sklearn.decomposition import PCA

    say("covariance and PCA")
    half, stride = 20, 5
    values, _ = get_descriptor(image, half, half, half, half, POINTS, stride, True, "direct")
    values = values.reshape(-1, values.shape[-1])
    programs = [
        lambda: seconds(lambda: numpy.cov(values, rowvar=False))[0],
        lambda: seconds(lambda: PCA(5).fit_transform(values))[0],
        lambda: program.bench(image, "covariance", half, stride) / 1e3,
        lambda: program.bench(image, "accumulate", half, stride, "pca", "project") / 1e3,
    ]
    cov, fit, sums, stages = in_turns(args.repeats, *programs)
    size = f"{len(values)} x {values.shape[1]}"
    return [
        row(f"covariance, {size}", "numpy.cov", cov, sums, note="stemseg's in tiles that are in the cache"),
        row(f"PCA with projection, {size}", "scikit-learn", fit, stages, note="stemseg makes the descriptors twice in it"),
    ]


def families(args, program, image):
    """Descriptors of the other families, warm on both sides, with pySTEM's settings:
    centres of symmetries every stride too. Harmonics have no counterpart there and are
    timed against rotations of the same radius, window and distances."""
    from pystem.stempower_spectrum import get_power_spectrum_m1
    from pystem.stemreflection_symmetry_descriptors import get_reflection_symmetry_descriptors
    from pystem.stemrotational_symmetry_descriptors import get_rotational_symmetry_descriptors

    half, stride = (10, 5) if args.quick else (20, 5)
    window = {"window_x": half, "window_y": half}
    pooled = {**window, "radius": half, "num_max": 10, "step_symmetry_analysis": stride}
    theirs = {
        "rotation": lambda: get_rotational_symmetry_descriptors(image, **pooled),
        "reflection": lambda: get_reflection_symmetry_descriptors(image, num_reflection_plane=10, **pooled),
        "power-spectrum": lambda: get_power_spectrum_m1(image, **window, step=stride),
    }
    settings = ["--window", half, "--stride", stride]
    reach = [*settings, "--radius", half]
    ours = {
        "rotation": [*reach, "--inner-stride", stride],
        "reflection": [*reach, "--inner-stride", stride],
        "power-spectrum": settings,
        "harmonic": [*reach, "--inner-stride", stride],
    }

    def time(family):
        words = ["--descriptor", family, *ours[family]]
        return lambda: program.stages(image, ["descriptors"], *words) / 1e3

    rows = []
    for family, call in theirs.items():
        say(f"families: {family}")
        slow, fast = in_turns(args.repeats, lambda: seconds(call)[0], time(family))
        rows.append(row(f"{family}, {len(image)} px, {half} px, stride {stride}", "pySTEM", slow, fast))
    say("families: harmonic")
    rotation, harmonic = in_turns(args.repeats, time("rotation"), time("harmonic"))
    note = f"compared with stemseg's rotation, inner sites every {stride} px in both"
    return [*rows, row(f"harmonic, {len(image)} px, {half} px, stride {stride}", "rotation", rotation, harmonic, note=note)]
