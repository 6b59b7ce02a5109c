#!/bin/busybox sh
# First program of a test guest: modules, root, addresses. With hw.early it sends from its first instant, before anything else.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
cd /mods || exit 1
for m in $(cat order); do insmod "$m"; done
option() { tr ' ' '\n' < /proc/cmdline | sed -n "s/^hw\.$1=//p"; }
ip link set lo up
# busybox ip knows no nodad
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up
for a in $(option addr | tr ',' ' '); do
ip addr add "$a" dev eth0
done
# hw.early=<address>@<mac>,...: a flood of ARP, ICMP and UDP to each, the MAC known so that no answer is needed
for target in $(option early | tr ',' ' '); do
  address=${target%@*}
  case $address in
  *:*) (while :; do ping -6 -q -c 20 -i 0.05 -W 1 "$address"; done) > /dev/null 2>&1 & ;;
  *)
    arp -s "$address" "${target#*@}"
    (while :; do ping -q -c 20 -i 0.05 -W 1 "$address"; done) > /dev/null 2>&1 &
    (while :; do arping -q -c 1 -w 1 -I eth0 "$address"; done) > /dev/null 2>&1 &
    (while :; do traceroute -n -m 1 -q 10 -w 1 "$address"; done) > /dev/null 2>&1 &
    ;;
  esac
  echo "early sender to $address" > /dev/console
done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
mount -t ext4 -o ro /dev/vda /mnt
mount --move /dev /mnt/dev
umount /proc /sys 2> /dev/null
exec switch_root /mnt /init
