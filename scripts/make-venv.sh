#!/usr/bin/env bash
# Create .venv with the pinned, hashed dependencies and this project, from only python3.13 and apt-get.
#
# A bare Debian python3.13 has neither pip nor ensurepip (they are in python3.13-venv), so pip comes from the first
# available wheel: the interpreter's own ensurepip, Debian's python3-pip-whl, or that package fetched without
# installing it. pip then installs uv, and uv the rest: seconds where pip alone takes half a minute.
#
# Environment: PYTHON (the interpreter; default /usr/bin/python3.13, then python3.13 of the PATH).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SCRATCH=$(mktemp -d); trap 'rm -rf "$SCRATCH"' EXIT
export TMPDIR=$SCRATCH # uv leaves a lock there for each source tree that it builds, uv-setuptools-*.lock
exec 9<.; flock 9 # two makes in one clone take turns

say() { echo "python: $*" >&2; }
fail() { say "$*"; exit 1; }

interpreter() {
  local python
  # Debian's own first: a PATH may begin with an older patch level, which allows header injection in mails.
  for python in ${PYTHON:-/usr/bin/python3.13 python3.13 python3}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then echo "$python"; return; fi
  done
  fail "Python 3.13 or later is needed: apt-get install python3.13, or say where it is: make PYTHON=/path/to/python3.13"
}

# Fetch Debian's wheel of pip with package lists of our own: the machine's may be empty, and must not be changed.
fetch_pip() {
  local apt=(apt-get -qq -o Dir::State::Lists="$SCRATCH/lists" -o Dir::Cache="$SCRATCH/cache" -o Debug::NoLocking=1
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root)
  mkdir -p "$SCRATCH"/{lists,cache/archives}/partial
  command -v apt-get >/dev/null || fail "no pip here, and no apt-get to fetch it: install python3.13-venv or pip"
  say "no pip on this machine: fetching Debian's python3-pip-whl (about 10 MB of package lists)"
  "${apt[@]}" update >&2 || fail "apt-get update failed; check the network, or install python3.13-venv yourself"
  (cd "$SCRATCH" && "${apt[@]}" download python3-pip-whl >&2 && dpkg-deb -x python3-pip-whl_*.deb wheel) ||
    fail "apt-get could not fetch python3-pip-whl; install python3.13-venv yourself"
}

wheel_of_pip() { # PYTHON
  local stdlib wheel
  stdlib=$("$1" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
  for wheel in "$stdlib"/ensurepip/_bundled/pip-*.whl {,"$SCRATCH/wheel"}/usr/share/python-wheels/pip-*.whl; do
    if [ -f "$wheel" ]; then echo "$wheel"; return; fi
  done
}

PYTHON=$(interpreter)
say "$("$PYTHON" -V) ($PYTHON) into .venv"
.venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null || rm -rf .venv
"$PYTHON" -m venv --without-pip .venv

WHEEL=$(wheel_of_pip "$PYTHON")
[ -n "$WHEEL" ] || { fetch_pip; WHEEL=$(wheel_of_pip "$PYTHON"); }
# pip refuses a constraints file beside hashes, and --user would install elsewhere: ignore this machine's settings.
pip() { PIP_CONSTRAINT=/dev/null PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python "$WHEEL/pip" "$@"; }
uv() { UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv --quiet "$@"; }

say "uv and setuptools (25 MB)"
pip install -q --require-hashes --only-binary :all: -r requirements-tools.txt
say "$(grep -c == requirements-dev.txt) pinned packages (160 MB)"
if uv pip sync --require-hashes requirements-dev.txt requirements-tools.txt; then
  uv pip install --no-deps --no-build-isolation --editable .
else
  say "uv failed; trying pip (about 30 s)"
  pip install -q --require-hashes -r requirements-dev.txt
  pip install -q --no-deps --no-build-isolation --editable .
fi
pwd > .venv/ready
say "ready: .venv/bin/callengine"
