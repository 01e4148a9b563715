# First process of a machine made of namespaces. Arguments: machine name, cgroup name, then pairs of a folder outside and
# the place where the machine sees it. Ends, and with it everything on the machine, when standard input ends.
set -eu
if [ "${STAGE:-1}" = 1 ]; then
  # The cgroup of whoever leaves its namespace becomes the root of the new one.
  for c in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
    d=${c%/cgroup.procs}/$2
    [ -d "$d" ] && echo 0 >"$d/cgroup.procs"
  done
  STAGE=2 exec unshare --cgroup bash "$0" "$@"
fi
name=$1
shift 2
mount --make-rprivate /
mount -t proc proc /proc
awk '$(NF-2) ~ /^cgroup2?$/ { print $5, $(NF-2), $NF }' /proc/self/mountinfo |
  while read -r place type options; do
    umount -l "$place"
    if [ "$type" = cgroup2 ]; then mount -t cgroup2 cgroup2 "$place"; else mount -t cgroup -o "${options#rw,}" cgroup "$place"; fi
  done
# Processes stay out of the root, where they would keep a unified hierarchy from handing out controllers.
for c in /sys/fs/cgroup/system /sys/fs/cgroup/*/system; do
  [ -d "$c" ] && echo 0 >"$c/cgroup.procs"
done
for c in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -f "$c/cgroup.controllers" ] || continue
  for controller in $(cat "$c/cgroup.controllers"); do
    echo "+$controller" >"$c/cgroup.subtree_control" || true
  done
done
# Nothing of another machine's state, nor of the real one's.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /var/log
while [ $# -gt 0 ]; do
  mkdir -p "$1" "$2"
  mount --bind "$1" "$2"
  shift 2
done
# Volumes that a container mounts have to be seen by the kubelet and the other way round.
mount --make-rshared /
hostname "$name"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready
# The shell takes in processes that lost their parent, as a first process has to.
while read -r _; do :; done
