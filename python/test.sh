#!/usr/bin/env bash
# Builds the wheel of python/ and runs its tests in a clean environment, with the programs that it
# works with. The wheel takes what the tests of the workspace have compiled.
# STEMSEG_TESTS_PYTHON=off does without; a path names the Python to use.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${STEMSEG_TESTS_PYTHON:-}" = off ]; then
    echo "python: not tested, since STEMSEG_TESTS_PYTHON=off"
    exit 0
fi
python="${STEMSEG_TESTS_PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "python: its tests need Python 3.11 or newer as $python; name another in STEMSEG_TESTS_PYTHON, or off" >&2
    exit 1
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$target/python
wanted=python/tests/requirements.txt
if ! cmp -s "$wanted" "$environment/requirements.txt"; then
    rm -rf "$environment"
    "$python" -m venv "$environment" || {
        echo "python: no virtual environment could be made (on Debian: apt-get install python3-venv)" >&2
        exit 1
    }
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$environment/requirements.txt"
fi

rm -rf "$target/wheels"
"$environment/bin/maturin" build --quiet --locked --manifest-path python/Cargo.toml --profile dev \
    --features as-tested --interpreter "$environment/bin/python" --out "$target/wheels"
"$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$target"/wheels/*.whl
# Away from the sources, so that the wheel is what is imported.
cd "$target"
exec "$environment/bin/python" -m pytest -q -p no:cacheprovider "$OLDPWD/python/tests" "$@"
