#!/usr/bin/env bash
# Makes the pictures and the sample micrograph of this folder with stemseg itself.
set -euo pipefail
cd "$(dirname "$0")"
stemseg() { cargo run --quiet --release --manifest-path ../Cargo.toml -- "$@"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

picture() { # NAME K SCENE...
    name=$1 k=$2
    shift 2
    stemseg simulate "$@" --format tiff --pixel-size 0.015 --out "$scratch/$name"
    stemseg segment "$scratch/$name/image.tif" -k "$k" --device cpu --out "$scratch/$name.result"
    cp "$scratch/$name.result/overlay.png" "$name.png"
}

picture grains 3 polycrystal --grains 3 --seed 8
cp "$scratch/grains/image.tif" grains.tif
picture plane-groups 2 plane-groups p4gm p4 --seed 2
