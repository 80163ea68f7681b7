#!/usr/bin/env bash
# Packs the program that was built with the profile `dist` for TARGET, on a machine that runs it:
#   scripts/package.sh TARGET VERSION         makes target/packages/stemseg-VERSION-TARGET.tar.gz (Windows: .zip)
#   scripts/package.sh --try TARGET VERSION   unpacks that, and tries what is in it
# It needs jq.
set -euo pipefail
cd "$(dirname "$0")/.."
try=false
[ "${1:-}" != --try ] || { try=true; shift; }
[ $# = 2 ] || { echo "usage: scripts/package.sh [--try] TARGET VERSION" >&2; exit 2; }
target=$1 version=$2
name=stemseg-$version-$target
packages=${CARGO_TARGET_DIR:-target}/packages
case $target in
    *windows*) program=stemseg.exe archive=$name.zip ;;
    *) program=stemseg archive=$name.tar.gz ;;
esac

# What the licences of crates ask for: their texts, of all that is linked into the program.
third_party() {
    local crate crate_version licence manifest folder file found
    echo "stemseg contains the following crates. Where a choice of licences is given, either may be taken."
    cargo tree --locked --package stemseg-cli --edges normal,no-proc-macro --target "$target" --prefix none \
        --format '{p}' | tr -d '\r' | awk '{ print $1 " " substr($2, 2) }' | sort -u >"$packages/$name.crates"
    cargo metadata --locked --format-version 1 | jq -r \
        '.packages[] | select(.source) | [.name, .version, .license // "see below", .manifest_path] | @tsv' |
        tr -d '\r' | LC_ALL=C sort | while IFS=$'\t' read -r crate crate_version licence manifest; do
        grep -qxF "$crate $crate_version" "$packages/$name.crates" || continue
        printf '\n%s\n%s %s (%s)\n' "$(printf '=%.0s' {1..80})" "$crate" "$crate_version" "$licence"
        # jq writes each backslash of Windows twice.
        ! command -v cygpath >/dev/null || manifest=$(cygpath -u "${manifest//\\\\/\\}")
        folder=$(dirname "$manifest") found=false
        for file in "$folder"/{LICEN[CS]E,COPYING,NOTICE,COPYRIGHT,UNLICENSE,licen[cs]e}* "$folder"/fonts/*.txt; do
            [ -f "$file" ] || continue
            found=true
            printf '\n--- %s\n\n' "$(basename "$file")"
            cat "$file"
        done
        $found || printf '\nThe package has no text of it; https://crates.io/crates/%s leads to its source.\n' "$crate"
    done
    rm "$packages/$name.crates"
}

pack() {
    local folder=$packages/$name
    rm -rf "$folder" "${packages:?}/$archive"
    mkdir -p "$folder/completions"
    cp "${CARGO_TARGET_DIR:-target}/$target/dist/$program" "$folder/"
    local stemseg=$folder/$program
    "$stemseg" completions bash >"$folder/completions/stemseg.bash"
    "$stemseg" completions zsh >"$folder/completions/_stemseg"
    "$stemseg" completions fish >"$folder/completions/stemseg.fish"
    "$stemseg" completions elvish >"$folder/completions/stemseg.elv"
    "$stemseg" completions powershell >"$folder/completions/_stemseg.ps1"
    "$stemseg" man --out "$folder/man/man1"
    cp README.md CHANGELOG.md FORMATS.md FAULTS.md CITATION.cff LICENSE-APACHE LICENSE-MIT "$folder/"
    third_party >"$folder/THIRD-PARTY-LICENCES.txt"
    cd "$packages"
    case $archive in
        # Windows' runners have no zip.
        *.zip) 7z a -bd -tzip "$archive" "$name" >/dev/null ;;
        # Without macOS' files of attributes.
        *) COPYFILE_DISABLE=1 tar -czf "$archive" "$name" ;;
    esac
    rm -rf "$name"
    ls -l "$archive"
}

must() { # WORDS COMMAND...
    local words=$1
    shift
    "$@" || { echo "package.sh: $archive: $words" >&2; exit 1; }
}

try_it() {
    local scratch stemseg page script file
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$scratch'" EXIT
    case $archive in
        *.zip) 7z x -bd "-o$scratch" "$packages/$archive" >/dev/null ;;
        *) tar -xzf "$packages/$archive" -C "$scratch" ;;
    esac
    stemseg=$scratch/$name/$program
    must "the version is not $version" [ "$("$stemseg" --version | tr -d '\r')" = "stemseg $version" ]
    for page in stemseg stemseg-segment stemseg-info; do
        must "no manual page $page" grep -q "^.TH $page " "$scratch/$name/man/man1/$page.1"
    done
    for script in stemseg.bash _stemseg stemseg.fish stemseg.elv _stemseg.ps1; do
        must "no completions in $script" grep -q segment "$scratch/$name/completions/$script"
    done
    must "no licences of crates" grep -q 'Apache License' "$scratch/$name/THIRD-PARTY-LICENCES.txt"
    "$stemseg" devices
    "$stemseg" info assets/grains.tif
    "$stemseg" segment assets/grains.tif -k 3 --device cpu --out "$scratch/result"
    for file in labels.npy labels.tif overlay.png report.html summary.json; do
        must "no $file in the result" [ -s "$scratch/result/$file" ]
    done
    echo "package.sh: $archive works"
}

mkdir -p "$packages"
if $try; then try_it; else pack; fi
