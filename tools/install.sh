#!/usr/bin/env bash
# Makes .venv with the versions in constraints.txt. Called by `make install`, which skips it while nothing has changed.
# PYTHON names the interpreter to use.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.installed
oldest=3.11

die() {
  echo "make install: $*" >&2
  exit 1
}

new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < (${oldest/./, }))" 2>/dev/null; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || die "there is no $PYTHON. Give another: make install PYTHON=/path/to/python3.11"
    new_enough "$PYTHON" || die "$PYTHON is $("$PYTHON" --version 2>&1), and kgqa needs Python $oldest or later"
    echo "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  die "no Python $oldest or later found. Install one, or say where it is: make install PYTHON=/path/to/python3.11"
}

if [ -L "$venv" ]; then
  echo "$venv is a link: the environment it leads to is used as it is."
  touch "$stamp"
  exit 0
fi

# The stamp goes first and comes last, so an interrupted install is taken up again.
rm -f "$stamp"
if ! { [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "$python can't make environments. On Debian or Ubuntu: apt-get install python3-venv"
  echo "[1/3] $venv, with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" </dev/null; }

# torch first and alone: the one large download, and at its exact version before anything else can ask for another.
torch=$(grep -E '^torch==' constraints.txt)
echo "[2/3] $torch (the large one)"
pip install -qq "$torch" -c constraints.txt
echo "[3/3] kgqa and $(($(grep -c '==' constraints.txt) - 1)) other packages at their tested versions"
pip install -qq -e '.[dev]' -c constraints.txt
touch "$stamp"
echo "Installed. The command is $venv/bin/kgqa"
