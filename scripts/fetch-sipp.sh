#!/usr/bin/env bash
# Fetch SIPp, the benchmark's caller and destination, from Debian's archive into a folder, without touching the system.
#
#   fetch-sipp.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/sipp-3   SUITES: "forky sid"
#
# Environment: SIPP_BIN (an installed SIPp to use instead), DEBIAN_MIRROR (instead of the machine's own archive).
set -euo pipefail
umask 022

WHAT=sipp
. "$(dirname "${BASH_SOURCE[0]}")/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/sipp-3}")
SUITES=${2:-forky sid}
# The packages that SIPp needs, according to the loader; its package also depends on Python, for a helper.
CHOSEN="sip-tester libc6 libgcc-s1 libgsl28 libgslcblas0 libncursesw6 libpcap0.8t64 libdbus-1-3 libsystemd0 libcap2
  libsctp1 libssl3t64 libstdc++6 libtinfo6 libpugixml1v5 zlib1g libzstd1"

complete() { [ -z "$(strays_of "$WORK/tree/usr/bin/sipp")" ]; }

fetch_into_work() { fetch_program "$SUITES" sip-tester $CHOSEN; }

if [ -n "${SIPP_BIN:-}" ]; then
  command -v "$SIPP_BIN" >/dev/null || fail "SIPP_BIN=$SIPP_BIN is not a command; correct it, or unset it to fetch SIPp"
  exit
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  fail "this needs Debian's apt-get and dpkg-deb; elsewhere install SIPp and set SIPP_BIN"
bring "$DEST"
