#!/bin/busybox sh
# Second program of a test guest: finds the virtio-serial port and hands over to the agent.
export PATH=/bin:/usr/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
exec < /dev/console > /dev/console 2>&1
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
for d in /sys/class/virtio-ports/*; do
  [ "$(cat "$d/name")" = org.hyperward.test.0 ] && port=/dev/${d##*/}
done
name=$(tr ' ' '\n' < /proc/cmdline | sed -n 's/^hw\.name=//p')
exec node --max-old-space-size=48 /opt/agent.cjs "$port" "$name"
