#!/usr/bin/env bash
# Prints what CHANGELOG.md says of a version, without its heading:
#   scripts/changelog.sh 0.1.0
#   scripts/changelog.sh Unreleased
# Exit code 1 where there is no such section, or nothing in it.
set -euo pipefail
[ $# = 1 ] || {
    echo "usage: scripts/changelog.sh VERSION" >&2
    exit 2
}
cd "$(dirname "$0")/.."

# Ends at the next version, or at the links at the end. $(...) takes the empty lines at the end off,
# the first pattern those at the beginning.
section=$(awk -v heading="## [$1]" '
    /^## / { inside = index($0, heading) == 1; next }
    /^\[[^]]+\]: / { inside = 0 }
    inside && (begun || NF) { begun = 1; print }
' CHANGELOG.md)
[ -n "$section" ] || {
    echo "changelog.sh: CHANGELOG.md has nothing under [$1]" >&2
    exit 1
}
printf '%s\n' "$section"
