#!/bin/sh
# Reads lines `+FOLDER` and `-FOLDER` until whoever writes them has ended, however that was. Then it removes what belongs to the folders
# that are left: processes that stand in them or name them, and their children; mounts; what carries the mark of their instance id.

watched=
while read -r line; do
    case $line in
    +/?*) watched="$watched ${line#+}" ;;
    -/?*)
        rest=
        for folder in $watched; do [ "$folder" = "${line#-}" ] || rest="$rest $folder"; done
        watched=$rest
        ;;
    esac
done

# Standard input keeps a folder's name out of grep's own command line.
processes_of() {
    printf '%s/\n' "$1" | grep -alFf - /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
    find /proc -maxdepth 2 -name cwd \( -lname "$1" -o -lname "$1/*" -o -lname "$1 *" \) 2>/dev/null | cut -d/ -f3
}

with_children() {
    for id in "$@"; do
        [ "$id" = "$$" ] || [ "$id" = "$PPID" ] && continue
        echo "$id"
        # shellcheck disable=SC2046 # they are numbers
        with_children $(cat "/proc/$id/task/"*/children 2>/dev/null)
    done
}

# What this instance has in the kernel.
unmark() {
    mark="alias windlass:$(printf %s "$1" | b2sum -l 32 | cut -d' ' -f1):"
    for name in $(ip netns list | cut -d' ' -f1); do
        ip -n "$name" link show dev lo 2>/dev/null | grep -qF "$mark" && ip netns delete "$name"
    done
    ip -o link | grep -F "$mark" | cut -d' ' -f2 | sed 's/[@:].*//' | while read -r link; do ip link delete "$link"; done
}

for folder in $watched; do
    for _ in 1 2 3; do
        # shellcheck disable=SC2046 # they are numbers
        found=$(with_children $(processes_of "$folder") | sort -u)
        [ -n "$found" ] || break
        # shellcheck disable=SC2086 # they are numbers
        kill -9 $found 2>/dev/null
        sleep 0.05
    done
    if [ -f "$folder/data/instance_id" ] && [ ! -f /etc/windlass/instance_id ]; then unmark "$(cat "$folder/data/instance_id")"; fi
    grep -F " $folder/" /proc/self/mounts | cut -d' ' -f2 | sort -r | while read -r mount; do umount -l "$mount"; done
    rm -rf "$folder"
done
