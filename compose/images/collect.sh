#!/bin/sh
# Puts Node, and the programs that are named, with their libraries into /root-of-image: all that an image of ours has besides
# its program. Runs in any image that has them, a shell, sed and cp.
#   collect.sh [program…]
set -eu
root=/root-of-image

take() {
  mkdir -p "$root$(dirname "$2")"
  cp -L "$1" "$root$2"
}

# The loader itself tells what it would load: `ldd` is not everywhere.
libraries() {
  LD_TRACE_LOADED_OBJECTS=1 "$1" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p'
}

with_libraries() {
  take "$1" "$2"
  for library in $(libraries "$1"); do take "$library" "$library"; done
}

node="$(command -v node)"
with_libraries "$node" /usr/bin/node

# Names are looked up by libraries that no program lists.
system="$(dirname "$(libraries "$node" | sed -n '/\/libc\.so/p')")"
for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
  if [ -e "$system/$library" ]; then take "$system/$library" "$system/$library"; fi
done

for program; do
  with_libraries "$(command -v "$program")" "/usr/sbin/$program"
  # What this one knows of packets lies in modules of its own.
  case "$program" in iptables*)
    for directory in /usr/lib/*/xtables /usr/lib/xtables; do
      for module in "$directory"/*.so; do
        if [ -e "$module" ]; then take "$module" "$module"; fi
      done
    done
  esac
done

mkdir -p "$root/etc" "$root/run" "$root/tmp" "$root/var/lib"
chmod 1777 "$root/tmp"
echo 'esb:x:10001:10001::/var/lib/esb:/sbin/nologin' >"$root/etc/passwd"
echo 'esb:x:10001:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

# Directories that volumes begin as.
mkdir -p /volumes/state/esb /volumes/config/runtime-config
echo 'functions: {}' >/volumes/config/runtime-config/functions.yml
echo 'routes: []' >/volumes/config/runtime-config/routing.yml
echo 'resources: {}' >/volumes/config/runtime-config/resources.yml
