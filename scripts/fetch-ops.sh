#!/usr/bin/env bash
# Fetch promtool and fail2ban, which check the files of ops/, from Debian's archive into a folder, without touching the system.
#
#   fetch-ops.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/ops-1   SUITES: "trixie forky"
#
# Environment: DEBIAN_MIRROR (instead of the machine's own archive).
set -euo pipefail
umask 022

WHAT=ops
. "$(dirname "${BASH_SOURCE[0]}")/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/ops-1}")
SUITES=${2:-trixie forky}

fetch_into_work() {
  local suite ring archive
  ring=$(keyring); archive=$(mirror)
  for suite in $SUITES; do
    read_lists "$suite" "$ring" "$archive" || continue
    say "fetching promtool and fail2ban"
    (cd "$WORK/debs" && apt download promtool fail2ban) && unpack "$WORK/debs" || continue
    "$WORK/tree/usr/bin/promtool" --version >/dev/null 2>&1 && return
    say "promtool of $suite does not run here"
  done
  fail "no suite of '$SUITES' gave a signed promtool; is the network up? Another archive: DEBIAN_MIRROR=..."
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "this needs Debian's apt-get and dpkg-deb"
bring "$DEST"
