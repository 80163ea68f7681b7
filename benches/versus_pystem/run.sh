#!/usr/bin/env bash
# Everything from nothing: the virtual environment with pySTEM, stemseg in
# release, and the comparison. Arguments go to run.py (see run.sh --help).
#   PYTHON   interpreter, 3.11 unless told otherwise
#   VENV     virtual environment, made where there is none
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${VENV:-target/reference-venv}

if [ ! -x "$venv/bin/python" ]; then
    "${PYTHON:-python3.11}" -m venv "$venv"
    # pySTEM 0.0.26 builds only with old setuptools and numpy, hence two steps.
    "$venv/bin/pip" install --quiet numpy==1.26.4 setuptools==59.8.0 wheel==0.48.0
    "$venv/bin/pip" install --quiet --no-build-isolation -r tests/reference/requirements.txt ||
        { echo "pySTEM needs a C++ compiler, Python's headers and FFTW 3 (Debian: g++ python3-dev libfftw3-dev)" >&2; exit 1; }
fi
cargo build --release --quiet
exec "$venv/bin/python" benches/versus_pystem/run.py "$@"
