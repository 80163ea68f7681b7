#!/usr/bin/env bash
# Opens what stemseg writes with the programs it is written for (check.py). Makes a
# Python environment in the target folder once; STEMSEG_TESTS_PYTHON=off does without.
set -euo pipefail
cd "$(dirname "$0")/../../../.."

if [ "${STEMSEG_TESTS_PYTHON:-}" = off ]; then
    echo "readers: not tested, since STEMSEG_TESTS_PYTHON=off"
    exit 0
fi
python="${STEMSEG_TESTS_PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "readers: they need Python 3.11 or newer as $python; name another in STEMSEG_TESTS_PYTHON, or off" >&2
    exit 1
fi

environment=${CARGO_TARGET_DIR:-target}/readers
wanted=crates/stemseg-cli/tests/readers/requirements.txt
if ! cmp -s "$wanted" "$environment/requirements.txt"; then
    rm -rf "$environment"
    "$python" -m venv "$environment" || {
        echo "readers: no virtual environment could be made (on Debian: apt-get install python3-venv)" >&2
        exit 1
    }
    "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    cp "$wanted" "$environment/requirements.txt"
fi

# As the tests have built it: another choice of features would build everything anew.
cargo test --locked --workspace --no-run --quiet
exec "$environment/bin/python" crates/stemseg-cli/tests/readers/check.py "${CARGO_TARGET_DIR:-target}/debug/stemseg"
