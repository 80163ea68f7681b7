#!/usr/bin/env bash
# Simulates images with truth for `stemseg bench --accuracy`: pairs of plane groups that
# share a lattice, all 17 groups among them, and five of these pairs at falling dose.
#   scenes.sh FOLDER [STEMSEG]
set -euo pipefail
folder=${1:?usage: scenes.sh FOLDER [STEMSEG]}
stemseg=${2:-target/release/stemseg}
pairs="p1,p2 p2,p2mm pm,pg pm,cm pg,cm p2mm,p2mg p2mg,p2gg p2gg,c2mm p4,p4mm p4,p4gm p4mm,p4gm
       p3,p3m1 p3,p31m p3m1,p31m p3,p6 p6,p6mm p31m,p6mm"
doses="5 10 20 40 80 160"

simulate() { # NAME A,B DOSE SEED
    mkdir -p "$folder/$(dirname "$1")"
    # shellcheck disable=SC2086
    "$stemseg" simulate plane-groups ${2/,/ } --dose "$3" --seed "$4" --out "$folder/$1" --force --quiet
}

seed=900
for pair in $pairs; do
    simulate "pairs/${pair/,/_}" "$pair" 40 $((seed += 1))
done
for pair in p1,p2 pm,pg p4,p4gm p3m1,p31m p6,p6mm; do
    for dose in $doses; do
        simulate "doses/dose_$(printf %03d "$dose")_${pair/,/_}" "$pair" "$dose" $((seed += 1))
    done
done
