#!/usr/bin/env bash
# Makes the sample micrographs and pictures of this folder with stemseg itself:
# NAME.tif the micrograph, NAME-labels.tif its true labels, NAME.png the
# micrograph to look at, NAME-result.png what `stemseg segment` makes of it.
set -euo pipefail
cd "$(dirname "$0")"
stemseg() { cargo run --quiet --release --manifest-path ../Cargo.toml -- "$@" >/dev/null; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

sample() { # NAME K SCENE...
    name=$1 k=$2
    shift 2
    stemseg simulate "$@" --format tiff --pixel-size 0.015 --out "$scratch/$name"
    stemseg segment "$scratch/$name/image.tif" -k "$k" --device cpu --out "$scratch/$name.result"
    cp "$scratch/$name/image.tif" "$name.tif"
    cp "$scratch/$name/labels.tif" "$name-labels.tif"
    cp "$scratch/$name/image.png" "$name.png"
    cp "$scratch/$name.result/overlay.png" "$name-result.png"
}

sample grains 3 polycrystal --grains 3 --seed 8
sample tilt-boundary 2 tilt-boundary
sample plane-groups 2 plane-groups p4gm p4 --seed 2
# Shown in the README from these two alone.
rm tilt-boundary.png tilt-boundary-result.png

# Twelve frames of a film.
stemseg simulate film --motion precipitates --size 160 --seed 4 --pixel-size 0.015 --out "$scratch/film.sim"
stemseg series "$scratch/film.sim/film.npy" -k 2 --device cpu --out "$scratch/film"
cp "$scratch/film/sheet.png" film.png
