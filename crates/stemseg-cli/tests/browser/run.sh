#!/usr/bin/env bash
# Opens reports in headless Chromium: rendering, keyboard, light and dark, wide and
# narrow (report.test.mjs). Installs what it needs where apt-get can. Screenshots are
# left in target/browser/. STEMSEG_TESTS_BROWSER=off leaves it out.
#
# The program must have been built: `cargo test --no-run` does.
set -euo pipefail
cd "$(dirname "$0")"

not_run() {
    echo "browser tests: NOT RUN: $1"
    # Continuous integration must not pass for want of a browser.
    [ "${CI:-}" = true ] && [ "${STEMSEG_TESTS_BROWSER:-}" != off ] && exit 1
    exit 0
}

find_chromium() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        # Ubuntu's chromium-browser is a stub that installs a snap.
        if command -v "$name" >/dev/null && "$name" --version --no-sandbox >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
}

[ "${STEMSEG_TESTS_BROWSER:-}" = off ] && not_run "STEMSEG_TESTS_BROWSER=off"

chromium=$(find_chromium)
if [ "$(uname)" = Linux ] && command -v apt-get >/dev/null; then
    missing=()
    [ -n "$chromium" ] || missing+=(chromium)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    if [ ${#missing[@]} -gt 0 ]; then
        root=$([ "$(id -u)" = 0 ] || echo sudo)
        { $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends "${missing[@]}"; } ||
            not_run "apt-get could not install ${missing[*]}"
        chromium=$(find_chromium)
    fi
fi
[ -n "$chromium" ] || not_run "no Chromium was found"
{ command -v node && command -v npm; } >/dev/null || not_run "node and npm were not found"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    not_run "node $(node --version) is too old; 20 or newer is needed"
npm ci --silent --no-audit --no-fund --ignore-scripts || not_run "npm could not install playwright-core"

target=$(cd ../../../.. && cargo metadata --locked --format-version 1 --no-deps |
    node -pe 'JSON.parse(require("fs").readFileSync(0, "utf8")).target_directory')
export STEMSEG="$target/debug/stemseg" CHROMIUM="$chromium" SCREENSHOTS="$target/browser"
[ -x "$STEMSEG" ] || { echo "browser tests: $STEMSEG is missing; build it first" >&2; exit 1; }
mkdir -p "$SCREENSHOTS"
exec node --test --test-reporter=spec report.test.mjs
