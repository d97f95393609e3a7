# Become a machine: systemd as process 1, in name spaces of its own that unshare(1) made.
#
# Usage: boot.sh NEEDED-FOLDER ...
#
# It shares the kernel and the programs with the machine outside, and can change neither its files
# nor its devices: what systemd writes is in memory, and the units that set up hardware are masked.
set -e

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
kept=0
for folder in "$@"; do
    kept=$((kept + 1))
    mkdir -p "/run/kept/$kept"
    mount --bind "$folder" "/run/kept/$kept"
done
cp -a /etc /run/etc
mount --bind /run/etc /etc
for folder in /tmp /var/tmp /var/log /var/lib; do
    mount -t tmpfs -o mode=1777 tmpfs "$folder"
done
kept=0
for folder in "$@"; do
    kept=$((kept + 1))
    if ! test -d "$folder"; then
        mkdir -p "$folder"
        mount --bind "/run/kept/$kept" "$folder"
    fi
done
mkdir -p /run/dev
mount -t tmpfs -o mode=755 tmpfs /run/dev
mkdir /run/dev/net /run/dev/pts /run/dev/shm
mount --bind /dev/pts /run/dev/pts
for node in "full 1 7" "null 1 3" "net/tun 10 200" "random 1 8" "tty 5 0" "urandom 1 9" "zero 1 5"; do
    set -- $node
    mknod -m 666 "/run/dev/$1" c "$2" "$3"
done
ln -s /proc/self/fd /run/dev/fd
ln -s fd/0 /run/dev/stdin
ln -s fd/1 /run/dev/stdout
ln -s fd/2 /run/dev/stderr
mount --rbind /run/dev /dev
mount -o remount,bind,ro /
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

mkdir -p /run/systemd/system
for unit in \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount systemd-journal-flush.service \
    systemd-machine-id-commit.service systemd-modules-load.service systemd-random-seed.service \
    systemd-remount-fs.service systemd-sysctl.service systemd-sysusers.service \
    systemd-tmpfiles-clean.timer systemd-tmpfiles-setup-dev.service \
    systemd-tmpfiles-setup.service systemd-udev-trigger.service systemd-udevd-control.socket \
    systemd-udevd-kernel.socket systemd-udevd.service systemd-update-utmp.service; do
    ln -s /dev/null "/run/systemd/system/$unit"
done

export container=ratsnake-test
exec "$(command -v /lib/systemd/systemd || command -v /usr/lib/systemd/systemd)" \
    --system --unit=basic.target --show-status=false
