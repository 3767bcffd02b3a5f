#!/usr/bin/env bash
# Boot the Debian of fetch-debian.sh with its own systemd, and wait until it ends.
#
#   boot-debian.sh IMAGE SCRATCH [FROM:TO]...
#   boot-debian.sh --check      whether this machine can do it; if not, print why
#
# IMAGE stays unchanged; the booted system writes to SCRATCH, a folder on a disk. It can read each FROM at TO.
# SCRATCH/pid is the process id of its systemd, for nsenter.
#
# The system has its own processes, mounts, network (loopback only), host name and control group, and no access to the
# kernel's modules, clock, log and hardware. It ends with its systemd or with the caller of this script; only SCRATCH is
# left. Needs root. Namespaces rather than a virtual machine: without KVM, emulation takes an hour, and the hardening of the
# units (seccomp, namespaces, BPF on control groups) is enforced by the same kernel.
set -euo pipefail

# A control group of version 2, also on a machine that mounts version 1: systemd 257 works without its controllers.
outside() { # IMAGE SCRATCH FROM:TO...
  local scratch=$2 group
  mkdir -p "$scratch"/{groups,upper,work,root}
  mount -t cgroup2 cgroup2 "$scratch/groups"
  find "$scratch/groups" -depth -path '*/callengine-system-*' -type d -exec rmdir {} + 2>/dev/null || true # of killed runs
  group=$scratch/groups/callengine-system-$$
  mkdir "$group"
  trap 'remove "$group"' EXIT
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec setpriv --pdeathsig KILL unshare --kill-child --fork --pid --mount --uts --ipc --net --cgroup -- "$0" --inside "$@"
  )
}

remove() { # GROUP   once it is empty
  find "$1" -depth -type d -exec rmdir {} + || true
}

# The first process of the new system: mount the kernel's file systems and a /dev without hardware, then become systemd.
inside() { # IMAGE SCRATCH FROM:TO...
  local image=$1 scratch=$2 pid _ bind
  shift 2
  read -r pid _ </proc/self/stat # /proc is still the machine's
  mount -t overlay overlay -o "lowerdir=$image,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
  cd "$scratch/root"
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs run
  make_devices
  for bind in "$@"; do
    mkdir -p ".${bind#*:}"
    mount --bind -o ro "${bind%%:*}" ".${bind#*:}"
  done
  hostname callengine
  ip link set lo up
  mkdir -p .outside
  echo "$pid" >"$scratch/pid"
  pivot_root . .outside
  umount --lazy /.outside
  mount --make-rshared / # in a container systemd leaves this to its starter; without it a unit gets no credentials
  exec env -i container=callengine PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time,-syslog /sbin/init </dev/null
}

make_devices() {
  local name major minor
  mount -t tmpfs -o mode=0755,nosuid tmpfs dev
  while read -r name major minor; do
    mknod -m 666 "dev/$name" c "$major" "$minor"
  done <<<$'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
  mkdir dev/pts
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5,nosuid,noexec devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s /proc/self/fd/0 dev/stdin
  ln -s /proc/self/fd/1 dev/stdout
  ln -s /proc/self/fd/2 dev/stderr
}

check() {
  local tried
  if [ "$(id -u)" != 0 ]; then
    echo "only root can boot a system in namespaces"
  elif ! tried=$(unshare --mount --fork --pid --uts --ipc --net --cgroup -- bash -euc '
      mount -t tmpfs tmpfs /tmp
      mkdir /tmp/{groups,lower,upper,work,root}
      mount -t cgroup2 cgroup2 /tmp/groups
      mkdir "/tmp/groups/callengine-check-$$" && rmdir "/tmp/groups/callengine-check-$$"
      mount -t overlay overlay -o lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work /tmp/root' 2>&1); then
    echo "this machine refuses namespaces, control groups or overlays: ${tried//$'\n'/; }"
  else
    return 0
  fi
  return 1
}

case ${1:?IMAGE is missing} in
  --check) check ;;
  --outside) shift; outside "$@" ;;
  --inside) shift; inside "$@" ;;
  *) exec unshare --mount -- "$0" --outside "$@" ;;
esac
