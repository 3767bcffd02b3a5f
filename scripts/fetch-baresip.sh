#!/usr/bin/env bash
# Fetch baresip, a SIP telephone that the tests call with, from Debian's archive into a folder, without touching the system.
#
#   fetch-baresip.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/baresip-2   SUITES: "forky sid"
#
# Environment: DEBIAN_MIRROR (instead of the machine's own archive).
set -euo pipefail
umask 022

WHAT=baresip
. "$(dirname "${BASH_SOURCE[0]}")/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/baresip-2}")
SUITES=${2:-forky sid}
# The packages that baresip and the MODULES need, according to the loader; its package also names those of all other modules.
CHOSEN="baresip-core libre1 librem1 libc6 libssl3t64 zlib1g libzstd1 libopus0 libspandsp2t64 libtiff6 libwebp7 libsharpyuv0
  libjbig0 libjpeg62-turbo libdeflate0 liblerc4 liblzma5 libstdc++6 libgcc-s1"
MODULES="account aufile ctrl_tcp g711 g722 menu opus srtp"

complete() {
  local module=() name
  for name in $MODULES; do module+=("$WORK/tree/usr/lib/baresip/modules/$name.so"); done
  [ -z "$(strays_of "$WORK/tree/usr/bin/baresip" "${module[@]}")" ]
}

fetch_into_work() { fetch_program "$SUITES" baresip-core $CHOSEN; }

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "this needs Debian's apt-get and dpkg-deb"
bring "$DEST"
