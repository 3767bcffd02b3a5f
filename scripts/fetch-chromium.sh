#!/usr/bin/env bash
# Fetch Chromium's headless shell, for the browser tests of the portal, from Debian's archive into a folder, without touching
# the system.
#
#   fetch-chromium.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/chromium-1   SUITES: "trixie"
#
# Environment: CHROMIUM_BIN (an installed Chromium to use instead), DEBIAN_MIRROR (instead of the machine's own archive).
set -euo pipefail
umask 022

WHAT=chromium
. "$(dirname "${BASH_SOURCE[0]}")/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/chromium-1}")
SUITES=${2:-trixie}

fetch_into_work() {
  local suite ring archive
  ring=$(keyring); archive=$(mirror)
  for suite in $SUITES; do
    read_lists "$suite" "$ring" "$archive" || continue
    say "fetching Chromium's headless shell, its libraries and a font (some 150 MB)"
    download_closure chromium-headless-shell fonts-dejavu-core || continue
    unpack "$WORK/debs"
    return
  done
  fail "no suite of '$SUITES' gave a signed Chromium; is the network up? Another archive: DEBIAN_MIRROR=..."
}

if [ -n "${CHROMIUM_BIN:-}" ]; then
  command -v "$CHROMIUM_BIN" >/dev/null || fail "CHROMIUM_BIN=$CHROMIUM_BIN is not a command; correct it, or unset it"
  exit
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  fail "this needs Debian's apt-get and dpkg-deb; elsewhere install Chromium and set CHROMIUM_BIN"
bring "$DEST"
