#!/usr/bin/env bash
# Bring Asterisk 22 and its libraries from Debian's archive into a folder, without touching the system.
#
#   fetch-asterisk.sh [DEST] [SUITES]     DEST: ~/.cache/callengine/asterisk-22   SUITES: "forky sid"
#
# Works as root and as an ordinary user; needs apt-get, dpkg-deb and Debian's archive keyring, nothing else.
# 23 packages, 33 MB to download, about 5 s. Every package is checked against the archive's signature; an
# unsigned archive is refused. A DEST that is complete is left as it is, so calling this twice costs nothing.
# Environment: ASTERISK_BIN (an installed Asterisk to use instead), DEBIAN_MIRROR (instead of the machine's own).
set -euo pipefail
umask 022

FLOOR=22.10.1      # variables with report_events need 22.10.0; 22.10.1 closes an authorisation hole in ARI
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DEST=$(realpath -m "${1:-${XDG_CACHE_HOME:-$HOME/.cache}/callengine/asterisk-22}")
SUITES=${2:-forky sid}
WANT="asterisk asterisk-modules asterisk-core-sounds-en-gsm"
# What the modules of etc/modules.conf need, found by asking the loader: 85 files instead of 160 packages.
LIBS="libc6 libssl3t64 libstdc++6 libgcc-s1 libxml2-16 libsqlite3-0 libjansson4 libedit2 libtinfo6 libbsd0
  libmd0 liburiparser1 libuuid1 libxslt1.1 libsystemd0 libcap2 libcrypt1 zlib1g libgsm1 libzstd1"

say() { echo "asterisk: $*" >&2; }
fail() { say "$*"; exit 1; }

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

keyring() {
  local ring
  for ring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    if [ -r "$ring" ]; then echo "$ring"; return; fi
  done
  fail "Debian's archive keyring is missing; install the package debian-archive-keyring"
}

# The archive this machine already uses. Where no package list was ever fetched, apt-get tells its sources only
# with --no-release-info, and the name of the release has to do instead of the archive's Origin.
mirror() {
  local found codename
  if [ -n "${DEBIAN_MIRROR:-}" ]; then echo "$DEBIAN_MIRROR"; return; fi
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  found=$(for how in --release-info --no-release-info; do
      apt-get indextargets "$how" --format '$(RELEASE) $(REPO_URI) $(ORIGIN)' 'Created-By: Packages'
    done | awk -v codename="$codename" '
      $1 !~ /security|updates|backports/ && ($3 == "Debian" || $1 == codename) && !n++ {print $2}')
  [ -n "$found" ] || fail "no Debian archive in this machine's apt sources; set DEBIAN_MIRROR to the address of one"
  echo "$found"
}

# The machine's apt with its proxy and site settings, but with our own source, lists and package state. What
# would let an unsigned archive pass is switched off whatever the machine says, and so are the machine's hooks: one
# common in containers empties the system's own package cache. Root's downloads stay with root: apt's own user may
# not enter a private folder.
apt() {
  apt-get -q=2 -c "$WORK/apt/no-hooks.conf" -o Dir::Etc::sourcelist="$WORK/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::Lists="$WORK/apt/lists" -o Dir::Cache="$WORK/apt/cache" -o Dir::State::status="$WORK/apt/status" \
    -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o Debug::NoLocking=1 -o APT::Get::AllowUnauthenticated=false \
    -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowDowngradeToInsecureRepositories=false "$@"
}

unpack() { # FOLDER
  local deb
  for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$WORK/tree"; done
}

loader() { # ARGUMENTS...   the tree's own loader: the binary needs a newer libc than Debian 13 has
  local libs=("$WORK"/tree/usr/lib/*-linux-gnu)
  "${libs[0]}"/ld-linux-*.so.* --inhibit-cache --library-path "${libs[0]}" "$@"
}

# Every library of Asterisk and of each module we load must come from the tree: one that resolves outside it
# would work here and break on the next machine.
missing_libraries() {
  local module modules=("$WORK"/tree/usr/lib/*-linux-gnu/asterisk/modules)
  {
    loader --list "$WORK/tree/usr/sbin/asterisk" 2>&1 || true
    sed -nE 's/^load = ([a-z0-9_]+\.so).*/\1/p' "$HERE/etc/modules.conf" | while read -r module; do
      loader --list "${modules[0]}/$module" 2>&1 || true
    done
  } | awk -v tree="$WORK/tree/" '
    /linux-vdso|statically linked/ || index($0, "=> " tree) || (index($1, tree) == 1 && $2 ~ /^\(0x/) {next}
    {print}' | sort -u
}

fetch_chosen() {
  (cd "$WORK/debs" && apt download $WANT $LIBS) && unpack "$WORK/debs" && [ -z "$(missing_libraries)" ]
}

fetch_closure() {
  say "the short list of libraries does not fit this release; fetching everything Asterisk names (100 MB)"
  rm -rf "$WORK/tree" "$WORK/debs"
  mkdir "$WORK/tree"
  apt install -y --download-only $WANT >/dev/null && mv "$WORK/apt/cache/archives" "$WORK/debs" && unpack "$WORK/debs" ||
    return 1
  [ -z "$(missing_libraries)" ] || { say "libraries are missing even so: $(missing_libraries | head -n 3)"; return 1; }
}

# The first suite whose signed lists can be read and whose Asterisk is new enough.
fetch() {
  local suite ring archive version
  ring=$(keyring); archive=$(mirror)
  for suite in $SUITES; do
    rm -rf "$WORK"/{apt,debs,tree}
    mkdir -p "$WORK"/apt/{lists/partial,cache/archives/partial} "$WORK"/{debs,tree}
    : >"$WORK/apt/status"
    printf '#clear %s;\n' {APT::Update,DPkg}::{Pre-Invoke,Post-Invoke,Post-Invoke-Success} >"$WORK/apt/no-hooks.conf"
    echo "deb [signed-by=$ring] $archive $suite main" >"$WORK/apt/sources.list"
    say "reading the package lists of $suite"
    apt update || { say "$suite cannot be used"; continue; }
    say "fetching Asterisk and its libraries (33 MB)"
    fetch_chosen || fetch_closure || continue
    version=$(version_of loader "$WORK/tree/usr/sbin/asterisk")
    at_least_floor "${version:-0}" && return
    say "$suite has ${version:-no Asterisk}, $FLOOR is needed"
  done
  fail "no suite of '$SUITES' gave a signed Asterisk >= $FLOOR; is the network up? Another archive: DEBIAN_MIRROR=..."
}

finish() {
  # Debian's postinst makes this link; without it `sound:beep` is missing.
  ln -sfn en_US_f_Allison "$WORK/tree/usr/share/asterisk/sounds/en"
  (cd "$WORK/debs" && sha256sum -- *.deb) >"$WORK/SHA256SUMS"
  rm -rf "$WORK/apt" "$WORK/debs"
  chmod 755 "$WORK"
  rm -rf "$DEST"
  mv -T "$WORK" "$DEST" # last and at once: a DEST with SHA256SUMS is a complete one
}

if [ -n "${ASTERISK_BIN:-}" ]; then use_installed; exit; fi
[ -f "$DEST/SHA256SUMS" ] && exit
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  fail "this needs Debian's apt-get and dpkg-deb; elsewhere install Asterisk >= $FLOOR and set ASTERISK_BIN"
mkdir -p "$(dirname "$DEST")"
exec 9>"$DEST.lock"
flock -n 9 || { say "another run is fetching; waiting for it"; flock 9; }
[ -f "$DEST/SHA256SUMS" ] && exit
WORK=$(mktemp -d "$DEST.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
fetch
finish
say "ready in $DEST after ${SECONDS} s"
