#!/bin/sh
# Makes a base image out of this machine's own files, where no image registry can be reached:
#   tests/docker/base-image.sh TAG NODE [java]
# NODE is the program that is to be node in the image, npm is that of PATH. With `java` the Java of PATH comes with
# them, for kafka-image.sh. Programs need the libraries that ldd names, so this works on Linux with glibc.
set -eu

usage="usage: $0 TAG NODE [java]"
tag=${1:?"$usage"}
node=${2:?"$usage"}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root/usr/bin" "$root/usr/lib/node_modules" "$root/etc/ssl/certs" "$root/root" "$root/var"
mkdir -m 1777 "$root/tmp"
ln -s usr/bin "$root/bin"

# Libraries at the paths at which the loader looks for them.
add_libraries() {
  ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/" && $2 ~ "^\\(" { print $1 }' | sort -u |
    while read -r library; do
      [ -e "$root$library" ] || cp -L --parents "$library" "$root"
    done
}

add_program() {
  cp -L "$1" "$root/usr/bin/$2"
  add_libraries "$1"
}

for name in sh bash env cat chmod chown cp find head id ls mkdir mv rm sleep test touch wc; do
  add_program "$(which "$name")" "$name"
done
add_program "$node" node
# The rest of glibc, for what packages bring compiled.
c_library=$(ldd "$node" | awk '$1 == "libc.so.6" { print $3 }')
for name in libdl.so.2 libm.so.6 libpthread.so.0 libresolv.so.2 librt.so.1 libutil.so.1; do
  library=$(dirname "$c_library")/$name
  [ -e "$root$library" ] || cp -L --parents "$library" "$root"
done

npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -rL "$npm" "$root/usr/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"

# As in the image of Node: user 1000 is `node`.
printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnode:x:1000:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
# A machine behind a proxy of its own trusts more than what comes with Node.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

if [ "${3:-}" = java ]; then
  home=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
  mkdir -p "$root$home"
  # What only a compiler or a reader needs stays out.
  tar -C "$home" -ch --exclude ./demo --exclude ./docs --exclude ./include --exclude ./jmods --exclude ./legal \
    --exclude ./man --exclude src.zip . | tar -C "$root$home" -x
  ln -s "$home/bin/java" "$root/usr/bin/java"
  find "$root$home/lib" -name '*.so' -exec ldd {} + 2>/dev/null |
    awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u | while read -r library; do
    case $library in
      "$root"* | "$home"*) ;;
      *) [ -e "$root$library" ] || cp -L --parents "$library" "$root" ;;
    esac
  done
fi

tar -C "$root" --numeric-owner --owner 0 --group 0 -c . | docker import \
  --change 'ENV PATH=/usr/bin' \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
  --change 'CMD ["node"]' - "$tag" >/dev/null
