#!/usr/bin/env bash
# All checks: format, lints, documentation, every test on the CPU and on a graphics
# adapter, and the report in a browser. Without an adapter or a browser it installs
# Mesa's software Vulkan and Chromium where apt-get can; STEMSEG_TESTS_GPU=off and
# STEMSEG_TESTS_BROWSER=off run without.
set -euo pipefail
cd "$(dirname "$0")"

# Mesa complains on stderr where this is not set.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

vulkan_is_here() {
    ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 &&
        { compgen -G '/usr/share/vulkan/icd.d/*.json' || compgen -G '/etc/vulkan/icd.d/*.json'; } >/dev/null
}
if [ "$(uname)" = Linux ] && [ "${STEMSEG_TESTS_GPU:-}" != off ] && ! vulkan_is_here; then
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    if command -v apt-get >/dev/null; then
        $root apt-get update -qq
        $root apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers libvulkan1
    fi
fi

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
cargo test --locked --no-fail-fast
tests/browser/run.sh
