#!/usr/bin/env bash
# Stops the Ceph that ceph-up.sh started in FOLDER and removes FOLDER.
set -euo pipefail

folder=${1:?usage: ceph-down.sh FOLDER}
[[ -d $folder/run ]] || exit 0

pids=()
for file in "$folder"/run/*.pid; do
  [[ -s $file ]] || continue
  pid=$(<"$file")
  # Only a process of ours: a stale file may name somebody else's.
  if [[ -r /proc/$pid/cmdline ]] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$folder/ceph.conf"; then
    pids+=("$pid")
  fi
done

for signal in TERM KILL; do
  ((${#pids[@]})) && kill -s "$signal" "${pids[@]}" 2>/dev/null || true
  for _ in {1..20}; do
    alive=()
    for pid in "${pids[@]}"; do [[ -d /proc/$pid ]] && alive+=("$pid"); done
    pids=("${alive[@]}")
    ((${#pids[@]} == 0)) && break 2
    sleep 0.25
  done
done
rm -rf "$folder"
