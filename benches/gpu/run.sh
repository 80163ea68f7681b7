#!/usr/bin/env bash
# Measures a GPU against the processor of the same machine, in less than five minutes, and
# writes one Markdown page.
#
#   benches/gpu/run.sh [OUT.md]
#
# STEMSEG names the program; without it cargo builds it here. DEVICE chooses an adapter
# (default: gpu), SIZES the images (default: 1024 2048 4096 8192), ROUNDS how often each is
# segmented on each device, in turns (default: 3).
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
out=$(realpath -m "${1:-gpu.md}")
device=${DEVICE:-gpu}
read -r -a sizes <<<"${SIZES:-1024 2048 4096 8192}"
rounds=${ROUNDS:-3}
if [ -z "${STEMSEG:-}" ]; then
    (cd "$here" && cargo build --release --quiet)
    STEMSEG=${CARGO_TARGET_DIR:-$here/target}/release/stemseg
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A number of summary.json by its name.
number() { sed -n "s/^ *\"$2\": \([0-9.e+-]*\),\{0,1\}$/\1/p" "$1" | tail -1; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
say() { echo "run.sh: $*" >&2; }

image() { # SIZE
    [ -d "$1" ] || "$STEMSEG" simulate polycrystal --size "$1" --out "$1" >/dev/null
    echo "$1/image.npy"
}

segment() { # FILE DEVICE PRESET: milliseconds of the whole run
    local k=auto
    [ "$3" = auto ] || k=6
    "$STEMSEG" segment "$1" --device "$2" --preset "$3" -k "$k" --out result --force --quiet >/dev/null
    number result/summary.json total
}

{
    echo "# $("$STEMSEG" --version), $(date -u +%F)"
    echo
    echo '```'
    "$STEMSEG" devices
    echo '```'
    echo
    echo "## Checks (\`stemseg verify\`)"
    echo
    echo "| what | result |"
    echo "| --- | --- |"
} >"$out"

small=$(image 512)
verify() { # NAME OPTIONS...
    local name=$1 verdict=passed
    shift
    say "verify $name"
    "$STEMSEG" verify "$small" --device "$device" "$@" >verify.txt 2>&1 || verdict="**failed**: $(tail -1 verify.txt)"
    echo "| $name | $verdict |" >>"$out"
}
verify "preset auto" --preset auto
verify "preset pystem" --preset pystem -k 6
for family in translation centred-translation rotation reflection glide harmonic power-spectrum intensity; do
    verify "$family" --preset pystem -k 6 --descriptor "$family"
done

{
    echo
    echo "## Whole runs"
    echo
    echo "Medians of $rounds runs each, in turns, ms, with report, overlay and TIFFs; what the GPU was asked to do."
    echo
    echo "| preset | image | processor | GPU | ratio | submissions | dispatches | buffers | MB up | MB down | waits | waited, ms |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
} >>"$out"
for preset in auto pystem; do
    for size in "${sizes[@]}"; do
        file=$(image "$size")
        say "segment $size x $size, $preset"
        # Once before what counts: pipelines are compiled.
        segment "$file" "$device" "$preset" >/dev/null
        : >cpu.txt
        : >gpu.txt
        for _ in $(seq "$rounds"); do
            segment "$file" cpu "$preset" >>cpu.txt
            segment "$file" "$device" "$preset" >>gpu.txt
        done
        cpu=$(median <cpu.txt)
        gpu=$(median <gpu.txt)
        counts=$(for name in submissions dispatches buffers bytes_up bytes_down waits waited_ms; do
            number result/summary.json "$name"
        done | awk 'NR == 4 || NR == 5 { printf "%.1f | ", $1 / 1e6; next } NR == 7 { printf "%.1f | ", $1; next }
            { printf "%s | ", $1 }')
        ratio=$(awk -v a="$cpu" -v b="$gpu" 'BEGIN { printf "%.2f", a / b }')
        echo "| $preset | $size x $size | $cpu | $gpu | $ratio | ${counts% | } |" >>"$out"
    done
done

say "stages"
{
    echo
    echo "## Stages, and a frame of a film whose model is fitted"
    echo
    echo '```'
    "$STEMSEG" bench --device "cpu,$device" --size 2048 --preset auto --repeats 5
    echo
    "$STEMSEG" bench --device "cpu,$device" --size 512 --preset auto --stage frame --repeats 20
    echo '```'
} >>"$out"
say "kernels"
{
    echo
    echo "## Kernels"
    echo
    echo '```'
    "$STEMSEG" bench --kernels --device "$device" --size 4096 2>&1 || true
    echo '```'
} >>"$out"
say "wrote $out"
