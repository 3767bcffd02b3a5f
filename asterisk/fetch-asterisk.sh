#!/usr/bin/env bash
# Fetch Asterisk 22 and its libraries from Debian's archive into a folder, without touching the system.
#
#   fetch-asterisk.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/asterisk-22-2   SUITES: "forky sid"
#
# Works as root and as an ordinary user; needs only apt-get, dpkg-deb and Debian's archive keyring.
# DEST/asterisk runs it, with the libraries beside it. 27 packages, 22 MB to download, about 5 s. Every package is
# checked against the archive's signature; an unsigned archive is refused. A complete DEST is left unchanged, so
# calling this twice costs nothing.
# Environment: ASTERISK_BIN (an installed Asterisk to use instead), DEBIAN_MIRROR (instead of the machine's own).
set -euo pipefail
umask 022

WHAT=asterisk
FLOOR=22.10.1      # variables with report_events need 22.10.0; 22.10.1 closes an authorisation hole in ARI
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/../scripts/debian-archive.sh"
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/asterisk-22-2}")
SUITES=${2:-forky sid}
WANT="asterisk asterisk-modules asterisk-core-sounds-en-gsm"
# The packages that the modules of etc/modules.conf need, according to the loader, instead of 160 packages.
LIBS="libc6 libssl3t64 libstdc++6 libgcc-s1 libxml2-16 libsqlite3-0 libjansson4 libedit2 libtinfo6 libbsd0
  libmd0 liburiparser1 libuuid1 libxslt1.1 libsystemd0 libcap2 libcrypt1 zlib1g libgsm1 libzstd1
  libsrtp2-1 libnss3 libnspr4 libopus0"

at_least_floor() { # VERSION
  [ "$(printf '%s\n' "$FLOOR" "$1" | sort -V | head -n 1)" = "$FLOOR" ]
}

version_of() { # COMMAND...
  "$@" -V 2>/dev/null | sed -nE 's/^Asterisk ([0-9]+(\.[0-9]+)*).*/\1/p'
}

use_installed() {
  local version
  version=$(version_of "$ASTERISK_BIN") || true
  [ -n "$version" ] || fail "ASTERISK_BIN=$ASTERISK_BIN does not answer to -V; correct it, or unset it to fetch Asterisk"
  at_least_floor "$version" || fail "ASTERISK_BIN is $version, older than $FLOOR; upgrade it, or unset ASTERISK_BIN to fetch Asterisk"
  say "using $ASTERISK_BIN, version $version"
}

missing_libraries() {
  local modules=("$WORK"/tree/usr/lib/*-linux-gnu/asterisk/modules)
  strays_of "$WORK/tree/usr/sbin/asterisk" \
    $(sed -nE "s|^load = ([a-z0-9_]+\.so).*|${modules[0]}/\1|p" "$HERE/etc/modules.conf")
}

fetch_chosen() {
  (cd "$WORK/debs" && apt download $WANT $LIBS) && unpack "$WORK/debs" && [ -z "$(missing_libraries)" ]
}

fetch_closure() {
  say "the short list of libraries does not fit this release; fetching all dependencies of Asterisk (100 MB)"
  download_closure $WANT && unpack "$WORK/debs" || return 1
  [ -z "$(missing_libraries)" ] || { say "libraries are missing even so: $(missing_libraries | head -n 3)"; return 1; }
}

# Use the first suite whose signed lists can be read and whose Asterisk is new enough.
fetch_suite() {
  local suite ring archive version
  ring=$(keyring); archive=$(mirror)
  for suite in $SUITES; do
    read_lists "$suite" "$ring" "$archive" || continue
    say "fetching Asterisk and its libraries (22 MB)"
    fetch_chosen || fetch_closure || continue
    version=$(version_of loader "$WORK/tree/usr/sbin/asterisk")
    at_least_floor "${version:-0}" && return
    say "$suite has ${version:-no Asterisk}, $FLOOR is needed"
  done
  fail "no suite of '$SUITES' gave a signed Asterisk >= $FLOOR; is the network up? Another archive: DEBIAN_MIRROR=..."
}

fetch_into_work() {
  fetch_suite
  # Debian's postinst creates this link; without it `sound:beep` is missing.
  ln -sfn en_US_f_Allison "$WORK/tree/usr/share/asterisk/sounds/en"
}

# A command for units and operators. It uses the tree's own loader, because the system's libc is older.
write_command() {
  [ -x "$DEST/asterisk" ] && return
  cat >"$DEST/asterisk.draft" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
libraries=$(echo "$here"/tree/usr/lib/*-linux-gnu)
exec "$libraries"/ld-linux-*.so.* --inhibit-cache --library-path "$libraries" "$here/tree/usr/sbin/asterisk" "$@"
END
  chmod 755 "$DEST/asterisk.draft"
  mv "$DEST/asterisk.draft" "$DEST/asterisk"
}

if [ -n "${ASTERISK_BIN:-}" ]; then use_installed; exit; fi
if [ -f "$DEST/SHA256SUMS" ]; then write_command; exit; fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  fail "this needs Debian's apt-get and dpkg-deb; elsewhere install Asterisk >= $FLOOR and set ASTERISK_BIN"
bring "$DEST"
write_command
