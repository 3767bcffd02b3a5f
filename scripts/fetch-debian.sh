#!/usr/bin/env bash
# Make a bare Debian 13 in a folder, and beside it the packages that docs/operating.md installs. `make system` boots it.
#
#   fetch-debian.sh [DEST]     DEST: ~/.cache/callengine/debian-13
#
# DEST/root     Debian with systemd and apt, configured
# DEST/archive  part of Debian's archive with its signature: what our packages need of it, and what the tests have beside them
#
# With these the guide's own commands install from a signed archive, without a network. Needs root, perl, and the tools of
# debian-archive.sh. A complete DEST is kept until our packages need others. Environment: DEBIAN_MIRROR (instead of the
# machine's own archive).
set -euo pipefail
umask 022

WHAT=debian
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$HERE/scripts/debian-archive.sh"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/callengine
DEST=$(realpath -m "${1:-$CACHE/debian-13}")
EDITION=2             # increase it when this script makes a different DEST from the same packages
SUITE=trixie          # Debian 13
ARCHITECTURE=$(dpkg --print-architecture)
BARE=(systemd systemd-sysv dbus passwd adduser iproute2 procps ca-certificates debian-archive-keyring tzdata)
# A production host may have database and mail server elsewhere; the tests have them, and their tools, in the same Debian.
BESIDE=(postgresql postfix curl jq logrotate fail2ban lintian)
mapfile -t NEEDED < <(sed -nE 's/^Depends: //p' "$HERE"/packaging/*/control | sed 's/([^)]*)//g' | tr -d ' ' | tr ',' '\n' | sort -u)

wanted() { # the contents of DEST; when they change, DEST is made anew
  printf '%s\n' "$EDITION" "$SUITE" "${BARE[@]}" "${BESIDE[@]}" "${NEEDED[@]}"
}

download() { # URL FILE
  /usr/lib/apt/apt-helper -q=2 -o APT::Sandbox::User=root -o Acquire::Retries=3 download-file "$1" "$2" >&2
}

take_index() { # SUITE MIRROR   the signed index of a suite, unchanged
  local folder=$WORK/archive/dists/$1
  mkdir -p "$folder/main/binary-$ARCHITECTURE"
  download "$2/dists/$1/InRelease" "$folder/InRelease"
  download "$2/dists/$1/main/binary-$ARCHITECTURE/Packages.xz" "$folder/main/binary-$ARCHITECTURE/Packages.xz"
}

# Move the packages that apt has fetched to their paths in the archive. Lines of --print-uris are 'URI' FILE SIZE HASH; the
# URI is percent-encoded.
put_into_archive() { # FOLDER   reads lines of --print-uris
  local uri file path _
  while read -r uri file _; do
    path=${uri//\'/}
    path=$(printf '%b' "${path//%/\\x}")
    path=$WORK/archive/pool/${path#*/pool/}
    [ -f "$path" ] && continue
    mkdir -p "${path%/*}"
    mv "$1/$file" "$path"
  done < <(grep "^'")
}

take_closure() { # PACKAGES...   with their dependencies
  apt install -y --print-uris "$@" >"$WORK/uris"
  say "fetching $(grep -c "^'" "$WORK/uris") packages"
  apt install -y --download-only "$@" >/dev/null
  put_into_archive "$WORK/apt/cache/archives" <"$WORK/uris"
}

install_root() { # RING
  say "installing Debian $SUITE"
  (cd "$WORK/debs" && apt download mmdebstrap && dpkg-deb -x mmdebstrap_*.deb "$WORK/tree" && rm mmdebstrap_*.deb)
  unshare --mount perl "$WORK/tree/usr/bin/mmdebstrap" --quiet --mode=root --variant=apt --format=directory \
    --include="$(IFS=,; echo "${BARE[*]}")" --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='Acquire::Check-Date "false"' --aptopt='Acquire::By-Hash "no"' --aptopt='APT::Sandbox::User "root"' \
    --aptopt='APT::Install-Recommends "false"' \
    "$SUITE" "$WORK/root" "deb [signed-by=$1] copy:$WORK/archive $SUITE main" >&2
}

configure_root() {
  local etc=$WORK/root/etc
  rm -rf "$etc/apt/sources.list" "$etc"/apt/sources.list.d/*
  cat >"$etc/apt/sources.list.d/debian.sources" <<END
Types: deb
URIs: copy:/srv/debian
Suites: $SUITE
Components: main
Signed-By: /usr/share/keyrings/$(basename "$(keyring)")
END
  cat >"$etc/apt/apt.conf.d/99system-test" <<'END'
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::By-Hash "no";
Acquire::Languages "none";
END
  rm -f "$etc/resolv.conf" "$etc/machine-id"
  : >"$etc/resolv.conf"
  tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id" # without it systemd runs its first-boot questions
  echo callengine >"$etc/hostname"
  printf '127.0.0.1 localhost callengine\n::1 localhost\n' >"$etc/hosts"
}

fetch_into_work() {
  local ring archive
  ring=$(keyring); archive=$(mirror); archive=${archive%/}
  read_lists "$SUITE" "$ring" "$archive" || fail "no signed list of $SUITE; is the network up? Another archive: DEBIAN_MIRROR=..."
  take_index "$SUITE" "$archive"
  take_closure '?essential' apt "${BARE[@]}" "${BESIDE[@]}" "${NEEDED[@]}"
  install_root "$ring"
  configure_root
  wanted >"$WORK/wanted"
  rm -rf "$WORK"/{tree,uris,debs}
  mkdir "$WORK/debs"
  find "$WORK/archive/pool" -name '*.deb' -exec ln -t "$WORK/debs" {} + # bring() notes their sums
}

[ "$(id -u)" = 0 ] || fail "only root can install a system into a folder"
command -v apt-get >/dev/null && command -v perl >/dev/null || fail "this needs Debian's apt-get, dpkg-deb and perl"
[ "$(cat "$DEST/wanted" 2>/dev/null)" = "$(wanted)" ] || rm -rf "$DEST"
bring "$DEST"
