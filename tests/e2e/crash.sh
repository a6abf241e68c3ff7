#!/usr/bin/env bash
# kill -9 of the daemon under load, again and again: everything that was closed, fsynced or renamed into place before is
# there, whole (promises D1, D2, D3).
#
#   tests/e2e/crash.sh [ROUNDS]
source "$(dirname "$0")/support.bash"
rounds=${1:-${STRONGROOM_KILLS:-6}}
start
mkdir "$mnt/box"
for round in $(seq "$rounds"); do
    mkdir -p "$mnt/box/r$round"
    : > "$work/done"
    (
        for i in $(seq 100000); do
            head -c $((RANDOM * 3)) /dev/urandom > "$work/new" || exit 0
            cp "$work/new" "$mnt/box/r$round/f.tmp" 2>/dev/null && mv "$mnt/box/r$round/f.tmp" "$mnt/box/r$round/f$i" 2>/dev/null || exit 0
            echo "$(sha256sum < "$work/new" | cut -c1-64) f$i" >> "$work/done"
        done
    ) 2>/dev/null &
    load=$!
    sleep "0.$((RANDOM % 900 + 100))"
    sleep 1
    kill9
    wait "$load" 2>/dev/null || true
    start
    while read -r sum name; do
        [ "$(sha256sum < "$mnt/box/r$round/$name" | cut -c1-64)" = "$sum" ] || fail "round $round: $name is not what was closed"
    done < "$work/done"
    say "round $round: $(wc -l < "$work/done") files, all whole"
done
stop
"$STRONGROOM" fsck "$store" > "$work/fsck" || { cat "$work/fsck"; fail "fsck finds something"; }
say "$rounds kills, fsck is clean"
