# Fetch packages from Debian's archive into a folder, without touching the system; sourced by the fetch-*.sh scripts.
#
# Every package is checked against the archive's signature; an unsigned archive is refused. Works as root and as an
# ordinary user; needs only apt-get, dpkg-deb and Debian's archive keyring. The sourcing script sets WHAT
# (the name in messages) and WORK (a scratch folder, before `apt`). Environment: DEBIAN_MIRROR (instead of the
# machine's own archive).

say() { echo "$WHAT: $*" >&2; }
fail() { say "$*"; exit 1; }

keyring() {
  local ring
  for ring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    if [ -r "$ring" ]; then echo "$ring"; return; fi
  done
  fail "Debian's archive keyring is missing; install the package debian-archive-keyring"
}

# Print the archive that this machine already uses. If no package list was ever fetched, apt-get prints its sources only
# with --no-release-info, and the name of the release replaces the archive's Origin.
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

# Run the machine's apt with its proxy and site settings, but with our own source, lists and package state. Settings that
# accept an unsigned archive are always off, and so are the machine's hooks: one that is common in containers empties the
# system's own package cache. Root downloads as root: apt's own user may not enter a private folder.
apt() {
  apt-get -q=2 -c "$WORK/apt/no-hooks.conf" -o Dir::Etc::sourcelist="$WORK/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State::Lists="$WORK/apt/lists" -o Dir::Cache="$WORK/apt/cache" -o Dir::State::status="$WORK/apt/status" \
    -o APT::Sandbox::User="$(id -un)" -o APT::Install-Recommends=false -o Acquire::Languages=none \
    -o Acquire::Retries=3 -o Debug::NoLocking=1 -o APT::Get::AllowUnauthenticated=false \
    -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowDowngradeToInsecureRepositories=false "$@"
}

read_lists() { # SUITE RING ARCHIVE   an empty $WORK, and the signed package lists of that suite
  rm -rf "$WORK"/{apt,debs,tree}
  mkdir -p "$WORK"/apt/{lists/partial,cache/archives/partial} "$WORK"/{debs,tree}
  : >"$WORK/apt/status"
  printf '#clear %s;\n' {APT::Update,DPkg}::{Pre-Invoke,Post-Invoke,Post-Invoke-Success} >"$WORK/apt/no-hooks.conf"
  echo "deb [signed-by=$2] $3 $1 main" >"$WORK/apt/sources.list"
  say "reading the package lists of $1"
  apt update || { say "$1 cannot be used"; return 1; }
}

download_closure() { # PACKAGES...   with all dependencies, into $WORK/debs
  rm -rf "$WORK/tree" "$WORK/debs"
  mkdir "$WORK/tree"
  apt install -y --download-only "$@" >/dev/null && mv "$WORK/apt/cache/archives" "$WORK/debs"
}

unpack() { # FOLDER
  local deb
  for deb in "$1"/*.deb; do dpkg-deb -x "$deb" "$WORK/tree"; done
}

loader() { # ARGUMENTS...   the tree's own loader: its programs may need a newer libc than this machine has
  local libs=("$WORK"/tree/usr/lib/*-linux-gnu)
  "${libs[0]}"/ld-linux-*.so.* --inhibit-cache --library-path "${libs[0]}" "$@"
}

# Print the loader's lines about FILEs that lead outside the tree: a library outside it would work here and be missing on
# another machine.
strays_of() { # FILE...
  local file
  for file in "$@"; do loader --list "$file" 2>&1 || true; done | awk -v tree="$WORK/tree/" '
    /linux-vdso|statically linked/ || index($0, "=> " tree) || (index($1, tree) == 1 && $2 ~ /^\(0x/) {next}
    {print}' | sort -u
}

# A program and the libraries that it needs, into $WORK/tree: from the first of SUITES whose CHOSEN packages, or else PACKAGE with
# all that it depends on, make it complete() there. WHAT is its name in messages.
fetch_program() { # SUITES PACKAGE CHOSEN...
  local suites=$1 package=$2 suite ring archive
  shift 2
  ring=$(keyring); archive=$(mirror)
  for suite in $suites; do
    read_lists "$suite" "$ring" "$archive" || continue
    say "fetching it and its libraries"
    if (cd "$WORK/debs" && apt download "$@") && unpack "$WORK/debs" && complete; then return; fi
    say "the short list of libraries does not fit this release; fetching everything that $package names"
    if download_closure "$package" && unpack "$WORK/debs" && complete; then return; fi
  done
  fail "no suite of '$suites' gave a signed $package; is the network up? Another archive: DEBIAN_MIRROR=..."
}

# Run fetch_into_work and move its result to $1, unless $1 exists; of several runs one fetches. A folder with SHA256SUMS is
# complete.
bring() { # DEST
  [ -f "$1/SHA256SUMS" ] && return
  mkdir -p "$(dirname "$1")"
  exec 9>"$1.lock"
  flock -n 9 || { say "another run is fetching; waiting for it"; flock 9; }
  [ -f "$1/SHA256SUMS" ] && return
  WORK=$(mktemp -d "$1.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  fetch_into_work
  (cd "$WORK/debs" && sha256sum -- *.deb) >"$WORK/SHA256SUMS"
  rm -rf "$WORK/apt" "$WORK/debs"
  chmod 755 "$WORK"
  rm -rf "$1"
  mv -T "$WORK" "$1"
  say "ready in $1 after ${SECONDS} s"
}
