#!/usr/bin/env bash
# Copy the configuration of etc/ for an Asterisk in production: fill in every blank, make it readable by Asterisk only.
#
#   lay-out.sh VALUES [DEST]     VALUES: a file of lines NAME=VALUE     DEST: /etc/asterisk
#
# README.md lists the names. SIP_ADDRESS, CARRIER and CARRIER_ADDRESS are required, the others have defaults; the passwords
# are read from the credentials of callengine. A file of DEST that differs is kept as NAME.before. Run it again after an
# update. Environment: ASTERISK_HOME (/usr/lib/callengine-asterisk), CREDENTIALS.
set -euo pipefail
umask 027

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VALUES=${1:?VALUES is missing: a file of lines NAME=VALUE, as docs/operating.md shows it}
DEST=${2:-/etc/asterisk}
ASTERISK_HOME=${ASTERISK_HOME:-/usr/lib/callengine-asterisk}
CREDENTIALS=${CREDENTIALS:-/etc/callengine/credentials}
declare -A value

fail() { echo "lay-out: $*" >&2; exit 1; }

read_values() {
  local name text
  while IFS='=' read -r name text || [ -n "$name" ]; do
    case $name in '' | '#'*) continue ;; esac
    [[ $name =~ ^[A-Z0-9_]+$ ]] || fail "$VALUES: '$name' is not a name; asterisk/README.md lists them"
    grep -rqE "@$name@" "$HERE/etc" || fail "$VALUES: there is no blank $name; asterisk/README.md lists them"
    value[$name]=$text
  done <"$VALUES"
  for name in SIP_ADDRESS CARRIER CARRIER_ADDRESS; do
    [ -n "${value[$name]:-}" ] || fail "$VALUES has no $name; asterisk/README.md says what to write"
  done
}

default() { # NAME VALUE
  value[$1]=${value[$1]:-$2}
}

add_defaults() {
  local cap name
  default TRUNK_CAP 200
  cap=${value[TRUNK_CAP]}
  default NUMBER_CAP $((cap * 9 / 10))
  default BUSY_CAP $((cap * 9 / 10))
  default FEW_CALLS $((cap < 100 ? 2 : cap / 50))
  default SAME_CALLER 10
  default MAX_CALLS $((cap * 2))
  default MAX_FILES $((cap * 12 < 16384 ? 16384 : cap * 12)) # a call takes ten; at 16,384 calls failed from 1,637 on
  default MAX_LOAD 0 # processes that wait for the disk raise the load average, too: a backup would refuse callers
  default QUALIFY_SECONDS 30
  default RTP_START 20000
  default RTP_END $((value[RTP_START] + cap * 4 + 127))
  default ARI_PORT 8088
  default EVENTS_ADDRESS 127.0.0.1:8089
  default NODE "$(hostname)"
  default EXTERNAL_ADDRESS ""
  default LOCAL_NET 127.0.0.0/8
  default TLS_AUTHORITIES /etc/ssl/certs/ca-certificates.crt
  for name in CERTIFICATE KEY; do
    [ -z "${value[TLS_ADDRESS]:-}" ] || [ -n "${value[TLS_$name]:-}" ] || fail "$VALUES: TLS_ADDRESS needs TLS_$name, a file in PEM"
  done
  default ARI_PASSWORD "$(password ari__password)"
  default EVENTS_PASSWORD "$(password ari__events_password)"
  default TREE_DIRECTORIES "$(tree_directories)"
}

password() { # NAME
  [ -s "$CREDENTIALS/$1" ] || fail "$CREDENTIALS/$1 is missing: openssl rand -hex 24 >$CREDENTIALS/$1"
  cat "$CREDENTIALS/$1"
}

# Modules and sounds of fetch-asterisk.sh; an Asterisk installed as a package has these paths built in.
tree_directories() {
  local tree=$ASTERISK_HOME/tree modules
  modules=$(echo "$tree"/usr/lib/*-linux-gnu/asterisk/modules)
  [ -d "$modules" ] || return 0
  printf 'astmoddir => %s\\nastdatadir => %s\\nastagidir => %s\\nastsbindir => %s' \
    "$modules" "$tree/usr/share/asterisk" "$tree/usr/share/asterisk/agi-bin" "$tree/usr/sbin"
}

# The other folders are built in (/var/lib, /var/spool, /var/log, /run); their lines are for `callengine dev`.
substitutions() {
  local name
  echo '/@ETC@\|@STATE@\|@RUN@/d'
  for name in "${!value[@]}"; do
    case ${value[$name]} in *'|'* | *'&'*) fail "$name: its value must not have | or &" ;; esac
    echo "s|@$name@|${value[$name]}|g"
  done
}

# A transport is laid out if its address has a value.
is_wanted() { # FILE
  local address
  case $(basename "$1") in transport-*) ;; *) return 0 ;; esac
  address=$(sed -nE 's/^bind = @([A-Z0-9_]+)@$/\1/p' "$1")
  [ -n "${value[$address]:-}" ]
}

write_files() {
  local file name draft
  count=0
  for file in "$HERE"/etc/*.conf; do
    name=$DEST/$(basename "$file")
    draft=$name.draft
    if ! is_wanted "$file"; then
      if [ -f "$name" ]; then mv "$name" "$name.before"; fi
      continue
    fi
    sed "$(substitutions)" "$file" >"$draft"
    if grep -nE '@[A-Z0-9_]+@' "$draft" >&2; then fail "$name would have blanks left, see above"; fi
    chown root:asterisk "$draft"
    if [ -f "$name" ] && ! cmp -s "$name" "$draft"; then mv "$name" "$name.before"; fi
    mv "$draft" "$name"
    count=$((count + 1))
  done
}

read_values
add_defaults
[ -d "$DEST" ] || fail "$DEST is missing: systemd-tmpfiles --create callengine.conf makes it"
write_files
echo "$DEST: $count files for ${value[SIP_ADDRESS]}, carrier ${value[CARRIER]}"
