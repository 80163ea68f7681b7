#!/usr/bin/env bash
# Makes the commit and the tag of a release; RELEASING.md has the whole way.
#   scripts/release.sh [--dry-run] [--no-test] VERSION
# --dry-run  shows what would be changed, and changes nothing; it may run on any branch
# --no-test  does not run ./test.sh, for when it has just passed on this commit
# Nothing is pushed: the commands that do are printed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: scripts/release.sh [--dry-run] [--no-test] VERSION"
fail() {
    echo "release.sh: $1" >&2
    exit "${2:-1}"
}

dry_run=false test=true version=
for argument; do
    case $argument in
        --dry-run) dry_run=true ;;
        --no-test) test=false ;;
        -*) fail "$usage" 2 ;;
        *) [ -z "$version" ] || fail "$usage" 2; version=$argument ;;
    esac
done
[ -n "$version" ] || fail "$usage" 2
number='(0|[1-9][0-9]*)'
[[ "$version" =~ ^$number\.$number\.$number(-[0-9A-Za-z.-]+)?$ ]] ||
    fail "$version is no version such as 0.2.0 or 0.2.0-rc.1" 2
tag=v$version

[ -z "$(git status --porcelain)" ] || fail "there are changes that are not committed; commit or stash them"
! git rev-parse --quiet --verify "refs/tags/$tag" >/dev/null || fail "there is a tag $tag already"
branch=$(git branch --show-current)
[ "$branch" = main ] || $dry_run || fail "this is the branch '$branch'; releases are made on main"

# What was written by hand already, for the first release, stays; else Unreleased becomes the section.
unreleased=$(scripts/changelog.sh Unreleased 2>/dev/null) || true
written=$(scripts/changelog.sh "$version" 2>/dev/null) || true
[ -n "$unreleased$written" ] || fail "CHANGELOG.md has nothing under [Unreleased]"
[ -z "$unreleased" ] || [ -z "$written" ] ||
    fail "CHANGELOG.md has lines under [Unreleased] in addition to a section [$version]; merge them by hand"

if $test && ! $dry_run; then
    ./test.sh
    [ -z "$(git status --porcelain)" ] || fail "./test.sh changed files; look at git status"
fi

# A copy, so that a dry run leaves nothing behind, not even after Ctrl-C.
if $dry_run; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    git clone --quiet --no-hardlinks . "$scratch/stemseg"
    cd "$scratch/stemseg"
fi

# FILE AWK-ARGUMENT...: the file as awk makes it, with its permissions.
rewrite() {
    local file=$1 new
    shift
    new=$(awk "$@" "$file" && echo end)
    printf '%s' "${new%end}" >"$file"
}
today=$(date -u +%F)
old=$(cargo pkgid --offline --package stemseg)
old=${old##*[#@]}

# The version of the workspace (or of a package that has its own), and what crates of the workspace
# ask of each other: only lines with a path, so that another crate of the same version stays.
git ls-files -z 'Cargo.toml' 'crates/*/Cargo.toml' | while IFS= read -r -d '' manifest; do
    # shellcheck disable=SC2016 # awk's own variables
    rewrite "$manifest" -v old="\"$old\"" -v new="\"$version\"" '
        function replaced(line,   place) {
            place = index(line, old)
            return place ? substr(line, 1, place - 1) new substr(line, place + length(old)) : line
        }
        /^\[/ { package = $0 == "[package]" || $0 == "[workspace.package]" }
        package && /^version *=/ { $0 = replaced($0) }
        /path *= *"/ && /version *= *"/ { $0 = replaced($0) }
        { print }'
done
cargo update --workspace --quiet --offline || cargo update --workspace --quiet

# shellcheck disable=SC2016 # awk's own variables
rewrite CITATION.cff -v version="$version" -v today="$today" '
    /^date-released:/ { next }
    /^version:/ { print "version: " version; print "date-released: " today; next }
    { print }'

repository=$(sed -n 's/^\[Unreleased\]: \(.*\)\/compare\/.*/\1/p' CHANGELOG.md)
[ -n "$repository" ] || fail "CHANGELOG.md has no link [Unreleased]: https://.../compare/..."
# The release before: the first version that has a section and is not this one.
before=$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | grep -vxF "$version" | head -n 1) || true
link=$repository/releases/tag/$tag
[ -z "$before" ] || link=$repository/compare/v$before...$tag
# shellcheck disable=SC2016 # awk's own variables
rewrite CHANGELOG.md -v version="$version" -v today="$today" -v written="${written:+yes}" \
    -v unreleased="[Unreleased]: $repository/compare/$tag...HEAD" -v link="[$version]: $link" '
    /^## \[Unreleased\]/ && !written { print; print ""; print "## [" version "] - " today; next }
    index($0, "## [" version "]") == 1 { print "## [" version "] - " today; next }
    index($0, "[" version "]: ") == 1 { next }
    /^\[Unreleased\]: / { print unreleased; print link; next }
    { print }'

new=$(cargo pkgid --offline --package stemseg)
[ "${new##*[#@]}" = "$version" ] || fail "the version in Cargo.toml is still ${new##*[#@]}"
scripts/changelog.sh "$version" >/dev/null

if $dry_run; then
    git --no-pager diff --stat
    git --no-pager diff
    echo "release.sh: a dry run; nothing was changed, and ./test.sh was not run"
    exit 0
fi

git add --update
undo="git tag --delete $tag"
if ! git diff --cached --quiet; then
    git commit --quiet --message "Release $version"
    undo+=" && git reset --keep HEAD~"
fi
git tag --annotate "$tag" --message "stemseg $version"
echo "release.sh: $tag is made. Look at it, then push both at once:

    git show --stat $tag
    git push --atomic origin main $tag

To take it back before that: $undo"
