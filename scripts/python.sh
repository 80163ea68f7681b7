# Sourced by tests that need Python, whose name is $1: ends them where STEMSEG_TESTS_PYTHON=off, and
# where there is no Python that is new enough. $python is the one to use.
name=$1
if [ "${STEMSEG_TESTS_PYTHON:-}" = off ]; then
    echo "$name: not tested, since STEMSEG_TESTS_PYTHON=off"
    exit 0
fi
python="${STEMSEG_TESTS_PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "$name: needs Python 3.11 or newer as $python; name another in STEMSEG_TESTS_PYTHON, or off" >&2
    exit 1
fi

# Makes the environment $1 with what the file $2 lists, by pip with the other arguments, unless it is
# there.
environment() {
    local place=$1 wanted=$2
    shift 2
    ! cmp -s "$wanted" "$place/requirements.txt" || return 0
    rm -rf "$place"
    "$python" -m venv "$place" || {
        echo "$name: no virtual environment could be made (on Debian: apt-get install python3-venv)" >&2
        exit 1
    }
    "$place/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$wanted"
    cp "$wanted" "$place/requirements.txt"
}
