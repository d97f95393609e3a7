#!/bin/sh
# Install the programs that `ratsnake bench` needs, where they are not there yet.
set -eu
PATH=$PATH:/usr/sbin:/sbin
missing=
for package in iperf3:iperf3 sockperf:sockperf nft:nftables; do
    command -v "${package%%:*}" >/dev/null || missing="$missing ${package##*:}"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "install first, by the means of this system:$missing" >&2
    exit 1
elif [ "$(id -u)" -ne 0 ]; then
    echo "install first, as root: apt-get install$missing" >&2
    exit 1
fi
echo "installing$missing ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
