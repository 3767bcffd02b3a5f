#!/usr/bin/env bash
# Build callengine_*.deb and callengine-asterisk_*.deb for Debian 13, from the last commit and changes of tracked files.
#
#   make-deb.sh [DEST]     DEST: dist
#
# callengine has a virtual environment in /usr/lib/callengine with the pinned packages, whose hashes are checked;
# callengine-asterisk has Asterisk and its libraries, from the signed packages of fetch-asterisk.sh. The same commit and
# the same packages of Asterisk give the same bytes: every time in them is that of the commit.
# Environment: REVISION (the part of the version after +; default: time and hash of the commit), LINT=1 (run lintian,
# which has to be installed: 130 s of processor time).
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEST=$(realpath -m "${1:-$HERE/dist}")
ARCHITECTURE=$(dpkg --print-architecture)
ASTERISK_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/callengine/asterisk-22-2
BIN=$HERE/.venv/bin
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export TMPDIR=$WORK # uv leaves a lock there (make-venv.sh)
SOURCE=$WORK/source

say() { echo "deb: $*" >&2; }
fail() { say "$*"; exit 1; }

take_source() {
  local changed
  git -C "$HERE" rev-parse --verify --quiet HEAD >/dev/null || fail "this is not a clone with a commit: the packages' times come from git"
  changed=$(git -C "$HERE" stash create)
  mkdir "$SOURCE"
  git -C "$HERE" archive "${changed:-HEAD}" | tar -x -C "$SOURCE"
  SOURCE_DATE_EPOCH=$(git -C "$HERE" show -s --format=%ct HEAD)
  export SOURCE_DATE_EPOCH
  REVISION=${REVISION:-$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).$(git -C "$HERE" rev-parse --short=8 HEAD)}
  VERSION=$(sed -nE 's/^version = "(.+)"/\1/p' "$SOURCE/pyproject.toml" | head -n 1)
}

# The environment is written by hand: bin/ with the interpreter of Debian 13 and one command, lib/ with the packages.
# Without the records of pip, which have the paths of this machine.
stage_environment() { # ROOT
  local home=$1/usr/lib/callengine
  local site=$home/lib/python3.13/site-packages
  local pip=("$BIN/uv" --quiet pip install --python "$BIN/python" --target "$site" --link-mode copy --no-deps
    --python-version 3.13 --python-platform "$(uname -m)-manylinux_2_40")
  mkdir -p "$site" "$home/bin" "$1/usr/bin"
  UV_NO_CONFIG=1 "${pip[@]}" --require-hashes --only-binary :all: -r "$SOURCE/requirements.txt"
  UV_NO_CONFIG=1 "${pip[@]}" --no-build-isolation "$SOURCE"
  rm -rf "$site"/{bin,.lock}
  rm -rf {"$site","$SOURCE"}/{devkit,cli/commands/{demo,dev,mailbox}.py} # the embedded parts: never on a production host
  rm -f "$site"/*.dist-info/{RECORD,INSTALLER,REQUESTED,direct_url.json,uv_cache.json,uv_build.json}
  find "$site" -name __pycache__ -prune -exec rm -rf {} +
  find "$site" -name .gitignore -delete
  find "$site" -name '*.so*' -exec chmod 644 {} +
  find "$site" -name '*.py' -perm /111 -exec chmod 644 {} +
  # Modules that begin with #!/usr/bin/env python are not programs here.
  grep -rlE --include='*.py' '^#!' "$site" | xargs -r sed -i '1s|^#!.*|#|'
  ln -s /usr/bin/python3.13 "$home/bin/python"
  printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13\n' >"$home/pyvenv.cfg"
  install -m 755 "$SOURCE/packaging/callengine/command" "$home/bin/callengine"
  ln -s ../lib/callengine/bin/callengine "$1/usr/bin/callengine"
}

stage_callengine() { # ROOT
  local share=$1/usr/share units=$1/usr/lib/systemd/system
  stage_environment "$1"
  mkdir -p "$share"/{man/man1,bash-completion/completions,callengine,doc/callengine} "$units" "$1"/usr/lib/{sysusers,tmpfiles}.d "$1/etc/callengine"
  install -m 644 -t "$units" "$SOURCE"/systemd/callengine-{engine,worker,portal,audit}.service "$SOURCE/systemd/callengine-audit.timer"
  install -m 644 "$SOURCE/systemd/callengine.sysusers" "$1/usr/lib/sysusers.d/callengine.conf"
  install -m 644 "$SOURCE/systemd/callengine.tmpfiles" "$1/usr/lib/tmpfiles.d/callengine.conf"
  install -m 644 "$SOURCE/packaging/callengine/callengine.toml" "$1/etc/callengine/callengine.toml"
  cp -r "$SOURCE/asterisk" "$share/callengine/asterisk"
  rm "$share/callengine/asterisk/fetch-asterisk.sh"
  cp -r "$SOURCE/ops" "$share/callengine/ops"
  cp -r "$SOURCE/config/samples" "$share/doc/callengine/examples"
  (cd "$SOURCE" && "$BIN/python" -m scripts.man_pages "$VERSION" "$share/man/man1")
  gzip -9n "$share"/man/man1/*
  (cd "$SOURCE" && _CALLENGINE_COMPLETE=bash_source "$BIN/python" -c 'from cli.__main__ import main; main(prog_name="callengine")') \
    >"$share/bash-completion/completions/callengine"
  changelog "$1" callengine "$VERSION+$REVISION"
}

stage_asterisk() { # ROOT
  local home=$1/usr/lib/callengine-asterisk
  mkdir -p "$home" "$1"/usr/{sbin,lib/systemd/system,lib/sysusers.d,lib/tmpfiles.d} "$1/etc/logrotate.d"
  cp -a "$ASTERISK_CACHE/tree" "$ASTERISK_CACHE/asterisk" "$home/"
  rm -rf "$home"/tree/etc "$home"/tree/usr/share/{man,lintian,gdb,gcc,dahdi,initramfs-tools,bug,asterisk/{conf,firmware,phoneprov}}
  find "$home/tree/usr/share/doc" -type f ! -name copyright -delete
  find "$home/tree" -type d -empty -delete
  find "$home" -type f -perm /6000 -exec chmod ug-s {} +
  ln -s ../lib/callengine-asterisk/asterisk "$1/usr/sbin/asterisk"
  install -m 644 "$SOURCE/systemd/callengine-asterisk.service" "$1/usr/lib/systemd/system/"
  install -m 644 "$SOURCE/systemd/callengine-asterisk.sysusers" "$1/usr/lib/sysusers.d/callengine-asterisk.conf"
  install -m 644 "$SOURCE/systemd/callengine-asterisk.tmpfiles" "$1/usr/lib/tmpfiles.d/callengine-asterisk.conf"
  install -m 644 "$SOURCE/packaging/callengine-asterisk/logrotate" "$1/etc/logrotate.d/callengine-asterisk"
  changelog "$1" callengine-asterisk "$(asterisk_version)+$REVISION"
}

asterisk_version() {
  local version
  version=$("$ASTERISK_CACHE/asterisk" -V | sed -nE 's/^Asterisk ([0-9.]+).*/\1/p')
  echo "${version:?Asterisk does not answer to -V}"
}

changelog() { # ROOT NAME VERSION
  local doc=$1/usr/share/doc/$2
  mkdir -p "$doc"
  install -m 644 "$SOURCE/packaging/$2/copyright" "$doc/copyright"
  printf '%s (%s) unstable; urgency=medium\n\n  * CHANGELOG.md has the changes.\n\n -- callengine <maintainers@callengine.dev>  %s\n' \
    "$2" "$3" "$(date -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
  if [ "$2" = callengine ]; then gzip -9nc "$SOURCE/CHANGELOG.md" >"$doc/CHANGELOG.md.gz"; fi
}

pack() { # NAME VERSION ROOT
  local debian=$3/DEBIAN file
  mkdir -p "$debian" "$3/usr/share/lintian/overrides"
  install -m 644 "$SOURCE/packaging/$1/lintian-overrides" "$3/usr/share/lintian/overrides/$1"
  for file in preinst postinst prerm postrm; do
    if [ -f "$SOURCE/packaging/$1/$file" ]; then install -m 755 -t "$debian" "$SOURCE/packaging/$1/$file"; fi
  done
  find "$3" -type d -exec chmod 755 {} +
  find "$3" ! -type l -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
  (cd "$3" && find etc -type f 2>/dev/null | sed 's|^|/|' | sort >DEBIAN/conffiles
    find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  sed -e "s/@VERSION@/$2/; s/@ARCHITECTURE@/$ARCHITECTURE/g; s/@SIZE@/$(du -sk --apparent-size --exclude DEBIAN "$3" | cut -f1)/" \
    "$SOURCE/packaging/$1/control" >"$debian/control"
  dpkg-deb --build --root-owner-group -Zgzip -z6 "$3" "$DEST/$1_$2_$ARCHITECTURE.deb" >&2
}

take_source
[ -x "$ASTERISK_CACHE/asterisk" ] || "$HERE/asterisk/fetch-asterisk.sh"
mkdir -p "$DEST" "$WORK"/{callengine,asterisk}
say "callengine $VERSION+$REVISION"
stage_callengine "$WORK/callengine"
pack callengine "$VERSION+$REVISION" "$WORK/callengine"
say "callengine-asterisk $(asterisk_version)+$REVISION"
stage_asterisk "$WORK/asterisk"
pack callengine-asterisk "$(asterisk_version)+$REVISION" "$WORK/asterisk"
if [ -n "${LINT:-}" ]; then timeout 900 lintian --allow-root --fail-on error "$DEST"/*"+${REVISION}_$ARCHITECTURE.deb"; fi
