#!/bin/sh
# Runs once inside a new node's namespaces: private folders in place of the machine's, and the node's network.
# Everything made here goes when the namespaces go.
set -eu
etc=$1 programs=$2 folder=$3 address=$4

# Take along what the node needs before /run and /var are hidden.
mount -t tmpfs node /mnt
mkdir -p /mnt/lock /mnt/node/etc /mnt/node/programs /mnt/node/folder
mount --bind "$etc" /mnt/node/etc
mount --bind "$programs" /mnt/node/programs
mount --bind "$folder" /mnt/node/folder
mount --no-mtab --move /mnt /run
mount --bind /run/node/folder/var /var
mount --bind /run/node/etc/hosts /etc/hosts

# The kubelet wants these settings and would write them; they are the whole machine's, so it is shown copies.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/proc/sys/${setting%=*}
  copy=/run/node/$(basename "$file")
  echo "${setting#*=}" > "$copy"
  mount --bind "$copy" "$file"
done
mount --make-rshared /

echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
