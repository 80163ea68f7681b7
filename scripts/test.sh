#!/usr/bin/env bash
# Tests changelog.sh and release.sh in a scratch copy of what is committed; nothing is built.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git clone --quiet --no-hardlinks . "$scratch/stemseg"
cd "$scratch/stemseg"
git checkout --quiet -B main
git config user.name "The stemseg developers"
git config user.email developers@example.invalid

expect() { # EXIT-CODE WORDS COMMAND...
    local code=$1 words=$2 got=0 said
    shift 2
    said=$("$@" 2>&1) || got=$?
    if [ "$got" != "$code" ] || [[ "$said" != *"$words"* ]]; then
        printf 'scripts/test.sh: %s\nexit code %s instead of %s, or no "%s" in:\n%s\n' "$*" "$got" "$code" "$words" "$said" >&2
        exit 1
    fi
    echo "ok: $*"
}
commit() { git commit --quiet --all --message "$1"; }
version() { local id; id=$(cargo pkgid --offline --package stemseg) && echo "${id##*[#@]}"; }
today=$(date -u +%F)
old=$(version)

expect 2 usage scripts/changelog.sh
expect 1 "nothing under [99.0.0]" scripts/changelog.sh 99.0.0
expect 2 usage scripts/release.sh
expect 2 "no version" scripts/release.sh 1.2
expect 2 usage scripts/release.sh 99.0.0 99.0.1

# As after a release: nothing to tell of.
awk '/^## \[Unreleased\]/ { print; print ""; skip = 1; next } /^## |^\[[^]]+\]: / { skip = 0 } !skip' \
    CHANGELOG.md >changelog && mv changelog CHANGELOG.md
git diff --quiet || commit "Empty the changelog"
expect 1 "nothing under [Unreleased]" scripts/release.sh --no-test 99.0.0

awk '{ print } /^## \[Unreleased\]/ { print "\n### Added\n- A test." }' CHANGELOG.md >changelog && mv changelog CHANGELOG.md
expect 1 "not committed" scripts/release.sh --no-test 99.0.0
commit "Say what is new"
expect 0 "A test." scripts/changelog.sh Unreleased

before=$(git rev-parse HEAD)
expect 0 "+## [99.0.0] - $today" scripts/release.sh --dry-run 99.0.0
[ "$(git rev-parse HEAD)" = "$before" ] && [ -z "$(git status --porcelain)" ] && [ -z "$(git tag --list v99.0.0)" ]

git checkout --quiet -b other
expect 1 "the branch 'other'" scripts/release.sh --no-test 99.0.0
git checkout --quiet main
expect 0 "git push --atomic origin main v99.0.0" scripts/release.sh --no-test 99.0.0
[ "$(version)" = 99.0.0 ]
[ "$(git log -1 --format=%s)" = "Release 99.0.0" ]
[ "$(git rev-parse 'v99.0.0^{commit}')" = "$(git rev-parse HEAD)" ] && [ -z "$(git status --porcelain)" ]
grep -qx "version: 99.0.0" CITATION.cff
[ "$(grep -c "^date-released: $today$" CITATION.cff)" = 1 ]
grep -q '^\[Unreleased\]: .*/compare/v99.0.0\.\.\.HEAD$' CHANGELOG.md
grep -q '^\[99.0.0\]: .*/compare/v.*\.\.\.v99.0.0$' CHANGELOG.md
expect 0 "A test." scripts/changelog.sh 99.0.0
expect 1 "nothing under [Unreleased]" scripts/changelog.sh Unreleased
# What crates of the workspace ask of each other went along.
if git grep -nE "path *=.*version *= *\"$old\"|version *= *\"$old\".*path *=" -- '*Cargo.toml'; then
    echo "scripts/test.sh: a crate still asks for $old" >&2
    exit 1
fi
cargo metadata --locked --offline --no-deps --format-version 1 >/dev/null
expect 1 "a tag v99.0.0 already" scripts/release.sh --no-test 99.0.0

# A section that was written by hand gets the day of the release.
git tag --delete v99.0.0 >/dev/null
sed "s/^## \[99.0.0\] - .*/## [99.0.0] - 2000-01-01/" CHANGELOG.md >changelog && mv changelog CHANGELOG.md
commit "Date the section"
expect 0 "v99.0.0 is made" scripts/release.sh --no-test 99.0.0
[ "$(grep -c "^## \[99.0.0\] - $today$" CHANGELOG.md)" = 1 ]
[ "$(grep -c '^\[99.0.0\]: ' CHANGELOG.md)" = 1 ]
[ "$(grep -c '^date-released: ' CITATION.cff)" = 1 ]
echo "scripts/test.sh: all passed"
