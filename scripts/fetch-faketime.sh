#!/usr/bin/env bash
# Fetch libfaketime from Debian's archive into a folder, without touching the system: a test sets the clock of the processes
# that it starts, and of no other.
#
#   fetch-faketime.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/faketime   SUITES: "trixie forky sid"
#
# The first suite is the oldest on purpose: this machine's programs load the library too, beside its libc.
# Environment: DEBIAN_MIRROR (instead of the machine's own archive).
set -euo pipefail
umask 022

WHAT=faketime
. "$(dirname "${BASH_SOURCE[0]}")/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/faketime}")
SUITES=${2:-trixie forky sid}

fetch_into_work() {
  local suite ring archive
  ring=$(keyring); archive=$(mirror)
  for suite in $SUITES; do
    read_lists "$suite" "$ring" "$archive" || continue
    say "fetching libfaketime (0.1 MB)"
    (cd "$WORK/debs" && apt download libfaketime) && unpack "$WORK/debs" && return
  done
  fail "no suite of '$SUITES' gave a signed libfaketime; is the network up? Another archive: DEBIAN_MIRROR=..."
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "this needs Debian's apt-get and dpkg-deb"
bring "$DEST"
