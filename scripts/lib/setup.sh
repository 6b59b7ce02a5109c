# Sourced by the other scripts: brings a fresh Debian 12 machine (as root) to where the product runs and its tests pass.
# It installs Debian packages and npm packages, and builds the eBPF object; it starts no service and changes no configuration that was there before.
# Fast when nothing is missing: what was done is remembered in .cache/.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache="$root/.cache"
export PATH="$root/node_modules/.bin:/usr/sbin:/sbin:$PATH"

# What each is for: docs/operators-guide.md, "What is installed".
hyperward_packages=(
  ca-certificates git
  libbpf1 clang libbpf-dev
  nftables iproute2 iputils-ping ethtool kmod procps util-linux
  libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu
  qemu-system-x86 qemu-utils seabios
  busybox-static cpio e2fsprogs
  postgresql-15
  iptables ipset ebtables
  openvswitch-switch
)

guard_mark='# made by hyperward scripts/lib/setup.sh for the time of an installation'

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

setup() {
  [ "$(id -u)" = 0 ] || die 'run this as root: it makes network namespaces, loads eBPF programs and installs Debian packages'
  [ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); only x86_64 is built and tested so far"
  mkdir -p "$cache"
  setup_packages
  setup_tun
  setup_npm
  setup_bpf
}

setup_packages() {
  local missing=() package
  for package in "${hyperward_packages[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  # a guard of ours that a killed run left behind
  if grep -q "$guard_mark" /usr/sbin/policy-rc.d 2>/dev/null; then rm -f /usr/sbin/policy-rc.d; fi
  # the guest's kernel is downloaded by apt later: its lists must be there even when no package is missing
  if [ ${#missing[@]} -eq 0 ]; then
    apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || apt-get update -qq || die 'apt-get update failed: check the package sources in /etc/apt'
    return 0
  fi
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local guard=/usr/sbin/policy-rc.d guarded=no createcluster=/etc/postgresql-common/createcluster.conf
  # No service may start because of us; an existing guard is left as it is.
  if [ ! -e "$guard" ]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$guard_mark" >"$guard"
    chmod 755 "$guard"
    guarded=yes
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  # No system-wide PostgreSQL cluster because of us; an existing choice is left as it is.
  if [ ! -e "$createcluster" ]; then
    mkdir -p "$(dirname "$createcluster")"
    echo 'create_main_cluster = false' >"$createcluster"
  fi
  apt-get update -qq || die 'apt-get update failed: check the package sources in /etc/apt'
  apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}" >"$cache/apt.log" 2>&1 ||
    { tail -20 "$cache/apt.log" >&2; die "apt-get install failed; the whole log is $cache/apt.log"; }
  if [ "$guarded" = yes ]; then
    rm -f "$guard"
    trap - EXIT
  fi
}

# Virtual machines' taps: the device node is missing in some containers.
setup_tun() {
  [ -c /dev/net/tun ] && return 0
  modprobe tun 2>/dev/null || true
  [ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; } || die 'this machine has no /dev/net/tun: load the kernel module tun'
}

setup_npm() {
  local stamp="$cache/npm.stamp" want
  want=$(cd "$root" && cat package-lock.json package.json ./*/package.json ./*/*/package.json 2>/dev/null | sha256sum | cut -d' ' -f1)
  [ -d "$root/node_modules/typescript" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && return 0
  say 'installing npm packages'
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error >"$cache/npm.log" 2>&1) ||
    { tail -20 "$cache/npm.log" >&2; die "npm ci failed; the whole log is $cache/npm.log"; }
  echo "$want" >"$stamp"
}

setup_bpf() {
  "$root/scripts/build-bpf" >&2
}
