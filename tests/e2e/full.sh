#!/usr/bin/env bash
# A full disk: ENOSPC before anything is lost, unlink still works, the space comes back, all healthy (promise D6).
source "$(dirname "$0")/support.bash"
truncate -s 192M "$work/disk"
mkfs.ext4 -q "$work/disk"
loop_mount=$work/small
mkdir "$loop_mount"
mount -o loop "$work/disk" "$loop_mount"
store=$loop_mount/store
start
mkdir "$mnt/box"
cp -a "$root/docs" "$mnt/box/kept"
for round in 1 2 3; do
    n=0
    while head -c 3000000 /dev/urandom > "$mnt/box/fill$n" 2>/dev/null; do
        n=$((n + 1))
        [ "$n" -lt 200 ] || fail "the disk never filled"
    done
    say "round $round: full after $n files"
    [ "$n" -ge 5 ] || fail "only $n files of 3 MB fit"
    same "$root/docs" "$mnt/box/kept" "on the full disk"
    rm "$mnt"/box/fill* || fail "unlink does not work on a full disk"
    echo healthy > "$mnt/box/again" 2>/dev/null || { sleep 8; echo healthy > "$mnt/box/again"; } || fail "a write does not work after space was freed"
    sleep 8
    free=$(df --output=avail -B1 "$loop_mount" | tail -n 1)
    say "round $round: $((free >> 20)) MiB free again"
    [ "$free" -gt $((60 << 20)) ] || fail "the space does not come back"
done
stop
start
same "$root/docs" "$mnt/box/kept" "after a restart"
stop
"$STRONGROOM" fsck "$store" > "$work/fsck" || { cat "$work/fsck"; fail "fsck finds something"; }
say "fsck is clean"
umount "$loop_mount"
