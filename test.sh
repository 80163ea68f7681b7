#!/usr/bin/env bash
# All checks: format, lints, documentation, every test on the CPU and on a graphics
# adapter, devices that fail and a second driver, results opened by other programs, the
# report in a browser, and the Python module in a clean environment. It installs Mesa's
# software Vulkan, Vulkan's headers and validation layer, Python's venv and Chromium
# (which brings the second driver) where they are missing and apt-get can. STEMSEG_TESTS_GPU=off, STEMSEG_TESTS_FAULTS=off,
# STEMSEG_TESTS_DRIVERS=off, STEMSEG_TESTS_PYTHON=off and STEMSEG_TESTS_BROWSER=off run
# without. CARGO_TARGET_DIR names a folder for what is built, which checkouts may share.
set -euo pipefail
cd "$(dirname "$0")"

# Mesa complains on stderr where this is not set.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"

vulkan_is_here() {
    ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 &&
        { compgen -G '/usr/share/vulkan/icd.d/*.json' || compgen -G '/etc/vulkan/icd.d/*.json'; } >/dev/null
}
needed=()
# Not every distribution has these.
wanted=()
if [ "$(uname)" = Linux ] && [ "${STEMSEG_TESTS_GPU:-}" != off ] && ! vulkan_is_here; then
    needed+=(mesa-vulkan-drivers libvulkan1)
fi
if [ "$(uname)" = Linux ] && [ "${STEMSEG_TESTS_GPU:-}" != off ]; then
    if [ "${STEMSEG_TESTS_FAULTS:-}" != off ] && [ ! -f /usr/include/vulkan/vk_layer.h ]; then
        needed+=(libvulkan-dev)
    fi
    if [ "${STEMSEG_TESTS_DRIVERS:-}" != off ]; then
        [ -f /usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json ] ||
            needed+=(vulkan-validationlayers)
        compgen -G '/usr/lib/chromium*/vk_swiftshader_icd.json' >/dev/null || wanted+=(chromium)
    fi
fi
if [ -z "${STEMSEG_TESTS_PYTHON:-}" ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
    needed+=(python3-venv)
fi
if [ $((${#needed[@]} + ${#wanted[@]})) -gt 0 ] && command -v apt-get >/dev/null; then
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    $root apt-get update -qq
    [ "${#needed[@]}" = 0 ] || $root apt-get install -y -qq --no-install-recommends "${needed[@]}"
    for package in "${wanted[@]}"; do
        $root apt-get install -y -qq --no-install-recommends "$package" ||
            echo "test.sh: $package could not be installed" >&2
    done
fi

# Nothing here is edited between two builds: what makes the second faster makes the first slower.
export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"

# Crates of other platforms, whose licences are checked too; without a network they are not.
cargo fetch --locked || true

cargo fmt --check
# Files that a macro declares, which cargo does not see.
rustfmt --check --edition 2024 src/descriptor/*.rs src/backend/cpu/*.rs src/backend/gpu/*.rs
cargo clippy --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items
cargo test --locked --workspace --no-fail-fast
crates/stemseg-cli/tests/readers/run.sh
crates/stemseg-cli/tests/browser/run.sh
python/test.sh
