# Shared by ./run, ./test and the scripts beside this file, which source it: where things are, and a clean environment.
# What is said here goes to stderr, so that stdout belongs to the job.
set -euo pipefail

# Settings of the user's own shell, Python or locale must not reach the private tools.
unset CDPATH PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 LC_ALL=C.UTF-8

HADAL_ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
HADAL_PYTHON="$HADAL_ROOT/.venv/bin/python"

# ccache needs a writable home; a clone can do with its own folder. Clones side by side share what they compile.
if [[ -z "${CCACHE_DIR:-}" && ! -w "${HOME:-/nonexistent}" ]]; then export CCACHE_DIR="$HADAL_ROOT/build/ccache"; fi
export CCACHE_BASEDIR="$HADAL_ROOT" CCACHE_NOHASHDIR=1

say() { printf 'hadal: %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# A part that is done leaves a stamp with the hash of the list it was made from, written last: an interrupted part is
# done again. stamped STAMP FILE: has what FILE lists been done?
stamped() { [[ -f "$1" && "$(<"$1")" == "$(sha256sum <"$2")" ]]; }

stamp() {
  mkdir -p "$(dirname -- "$1")"
  sha256sum <"$2" >"$1.new"
  mv -f -- "$1.new" "$1"
}
