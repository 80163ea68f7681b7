#!/usr/bin/env bash
# Builds the wheel of python/ and runs its tests in a clean environment, with the programs that it
# works with. The wheel takes what the tests of the workspace have compiled.
# STEMSEG_TESTS_PYTHON=off does without; a path names the Python to use.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/python.sh python
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$target/python
environment "$environment" python/tests/requirements.txt

rm -rf "$target/wheels"
"$environment/bin/maturin" build --quiet --locked --manifest-path python/Cargo.toml --profile dev \
    --features as-tested --interpreter "$environment/bin/python" --out "$target/wheels"
"$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$target"/wheels/*.whl
size=$(wc -c < "$(echo "$target"/wheels/*.whl)")
[ "$size" -lt 20000000 ] || { echo "python: the wheel has $size bytes, more than 20 MB" >&2; exit 1; }

# With nothing but the lowest numpy that it asks for, where that runs on this Python.
lowest=$(sed -n 's/^dependencies = \["numpy>=\(.*\)"\]$/\1/p' python/pyproject.toml)
if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
    if ! [ -f "$target/python-lowest/$lowest" ]; then
        rm -rf "$target/python-lowest"
        "$python" -m venv "$target/python-lowest"
        "$target/python-lowest/bin/pip" install --quiet --disable-pip-version-check "numpy==$lowest"
        touch "$target/python-lowest/$lowest"
    fi
    "$target/python-lowest/bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall "$target"/wheels/*.whl
    (
        cd "$target"
        [ "$("$target/python-lowest/bin/stemseg" --version)" = "stemseg $("$target/python-lowest/bin/python" -c 'import stemseg; print(stemseg.__version__)')" ]
        "$target/python-lowest/bin/python" -c "
import pickle, numpy, stemseg, stemseg.pystem
image, truth = stemseg.simulate('square-hexagonal', size=200)
found = pickle.loads(pickle.dumps(stemseg.segment(image.astype('>f8'), 2, device='cpu')))
assert stemseg.metrics.adjusted_rand_index(truth, found.labels, margin=8) > 0.9
assert stemseg.pystem.segmentationSTEM(window_x=12, window_y=12, patch_x=10, patch_y=10).perform_clustering(image).max() == 1
assert stemseg.Segmenter(2, device='cpu').fit([image, image]).labels_.shape == (2, 200, 200)
print('python: works with numpy', numpy.__version__)
"
    )
fi

# Away from the sources, so that the wheel is what is imported.
cd "$target"
exec "$environment/bin/python" -m pytest -q -p no:cacheprovider "$OLDPWD/python/tests" "$@"
