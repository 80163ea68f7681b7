#!/usr/bin/env bash
# Opens what stemseg writes with the programs it is written for (check.py). Makes a
# Python environment in the target folder once; STEMSEG_TESTS_PYTHON=off does without.
set -euo pipefail
cd "$(dirname "$0")/../../../.."

. scripts/python.sh readers
environment=${CARGO_TARGET_DIR:-target}/readers
environment "$environment" crates/stemseg-cli/tests/readers/requirements.txt --no-deps

# As the tests have built it: another choice of features would build everything anew.
cargo test --locked --workspace --no-run --quiet
exec "$environment/bin/python" crates/stemseg-cli/tests/readers/check.py "${CARGO_TARGET_DIR:-target}/debug/stemseg"
