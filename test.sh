#!/usr/bin/env bash
# All checks: format, lints, documentation, every test on the CPU and on a graphics
# adapter, results opened by other programs, and the report in a browser. It installs
# Mesa's software Vulkan, Python's venv and Chromium where they are missing and apt-get
# can. STEMSEG_TESTS_GPU=off, STEMSEG_TESTS_PYTHON=off and STEMSEG_TESTS_BROWSER=off run
# without.
set -euo pipefail
cd "$(dirname "$0")"

# Mesa complains on stderr where this is not set.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

vulkan_is_here() {
    ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 &&
        { compgen -G '/usr/share/vulkan/icd.d/*.json' || compgen -G '/etc/vulkan/icd.d/*.json'; } >/dev/null
}
needed=()
if [ "$(uname)" = Linux ] && [ "${STEMSEG_TESTS_GPU:-}" != off ] && ! vulkan_is_here; then
    needed+=(mesa-vulkan-drivers libvulkan1)
fi
if [ -z "${STEMSEG_TESTS_PYTHON:-}" ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
    needed+=(python3-venv)
fi
if [ "${#needed[@]}" -gt 0 ] && command -v apt-get >/dev/null; then
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    $root apt-get update -qq
    $root apt-get install -y -qq --no-install-recommends "${needed[@]}"
fi

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
cargo test --locked --no-fail-fast
tests/readers/run.sh
tests/browser/run.sh
