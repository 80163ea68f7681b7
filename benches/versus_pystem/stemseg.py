"""Calls of the stemseg program."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy


class Stemseg:
    def __init__(self, program, scratch):
        self.program = str(Path(program).resolve())
        self.scratch = Path(scratch)

    def call(self, *words):
        """What a call prints."""
        command = [self.program, *map(str, words)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=self.scratch, env=os.environ).stdout

    def simulate(self, size):
        """A noisy polycrystal, f32 `[size, size]`."""
        settings = ["--size", size, "--grains", 5, "--dose", 80]
        self.call("simulate", "polycrystal", *settings, "--out", "simulated", "--quiet")
        return numpy.load(self.scratch / "simulated" / "image.npy").astype(numpy.float32)

    def bench(self, image, stage, half, stride, *more):
        """Warm time of a stage with translations, ms. With more stages their sum."""
        return self.stages(image, [stage, *more], "--patch", half, "--window", half, "--stride", stride)

    def stages(self, image, stages, *words):
        """Warm time of stages together, ms: of each the median of seven rounds after
        one that does not count."""
        call = ["--stage", ",".join(stages), "--repeats", 7, "--device", "cpu", "--json", *words]
        call += ["--size", 128] if image is None else ["--image", self.save(image)]
        rows = json.loads(self.call("bench", *call))["rows"]
        assert sorted(row["stage"] for row in rows) == sorted(stages), rows
        return sum(row["median_ms"] for row in rows)

    def segment(self, image, *words):
        """Seconds of a whole process, the labels, and its own timings."""
        path = self.save(image)
        begun = time.perf_counter()
        printed = self.call("segment", path, *words, "--device", "cpu", "--out", "result", "--force", "--json")
        seconds = time.perf_counter() - begun
        return seconds, numpy.load(self.scratch / "result" / "labels.npy"), json.loads(printed)["timings_ms"]

    def save(self, image):
        """The image as a file, written only where it is another one."""
        path = self.scratch / f"{image.shape[0]}x{image.shape[1]}.npy"
        if not path.exists():
            numpy.save(path, image)
        return path
