#!/usr/bin/env bash
# Starts a real S3 server for the tests: a one-node Ceph on loopback, its data in memory, its gateway on a free port.
#
#   .ci/ceph-up.sh FOLDER    everything it writes goes into FOLDER; source FOLDER/env, then run the tests
#   .ci/ceph-down.sh FOLDER  stops it and removes FOLDER
#
# Needs root and Debian's packages, which it installs where they are missing. Gives up after two minutes.
set -euo pipefail

folder=${1:?usage: ceph-up.sh FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
deadline=$((SECONDS + ${CEPH_UP_TIMEOUT_S:-120}))
packages=(ceph-mon ceph-osd ceph-mgr radosgw)

say() { printf 'ceph-up: %s\n' "$*" >&2; }

if ! command -v radosgw ceph-mon ceph-osd ceph-mgr >/dev/null; then
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
  # The time for installing depends on the network; the two minutes are for starting.
  deadline=$((SECONDS + ${CEPH_UP_TIMEOUT_S:-120}))
fi

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
mkdir -p "$folder"/{mon,osd,mgr,run,log}

failed() {
  say "failed; the ends of the logs:"
  tail -n 5 "$folder"/log/*.log >&2 || true
  "$here/ceph-down.sh" "$folder" >&2 || true
}
trap failed ERR

# Prints two ports that nobody listens on.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const servers = [createServer(), createServer()];
    let left = servers.length;
    for (const server of servers)
      server.listen(0, "127.0.0.1", () => {
        if (--left > 0) return;
        console.log(servers.map((one) => one.address().port).join(" "));
        for (const one of servers) one.close();
      });
  '
}

# Sends one request, signed (AWS signature version 2) where a key and a secret follow.
request() {
  timeout 30 node -e '
    const { createHmac } = require("node:crypto");
    const [method, url, key, secret] = process.argv.slice(1);
    const date = new Date().toUTCString();
    const text = `${method}\n\n\n${date}\n${new URL(url).pathname}`;
    const signature = key && createHmac("sha1", secret).update(text).digest("base64");
    const headers = key ? { date, authorization: `AWS ${key}:${signature}` } : {};
    require("node:http")
      .request(url, { method, headers, timeout: 20_000 }, (answer) => {
        answer.resume();
        if (answer.statusCode >= 400) console.error(`${method} ${url}: ${answer.statusCode}`);
        process.exitCode = answer.statusCode < 400 ? 0 : 1;
      })
      .on("error", () => process.exit(1))
      .end();
  ' "$@"
}
read -r mon_port rgw_port < <(free_ports 2)

# One command to the cluster, which must answer in time.
ceph_admin() { timeout 30 ceph -c "$CEPH_CONF" "$@"; }
storage_is_up() { ceph_admin osd stat | grep -q '1 up'; }

# Waits until the command succeeds, or the time is up.
await() {
  local what=$1
  shift
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      say "gave up waiting for $what"
      return 1
    fi
    sleep 0.5
  done
}

fsid=$(cat /proc/sys/kernel/random/uuid)
cat >"$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = [v1:127.0.0.1:$mon_port]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $folder/keyring
run dir = $folder/run
admin socket = $folder/run/\$name.asok
pid file = $folder/run/\$name.pid
log file = $folder/log/\$name.log
crash dir = $folder/log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail warn = 1
mon data avail crit = 1
mgr initial modules =

[mon.a]
host = localhost
mon data = $folder/mon

[mgr.x]
mgr data = $folder/mgr

[osd.0]
osd data = $folder/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *

[client.rgw.test]
rgw frontends = beast endpoint=127.0.0.1:$rgw_port
rgw thread pool size = 64
rgw enable usage log = false
rgw run sync thread = false
rgw gc max objs = 8
rgw usage max shards = 1
CONF

export CEPH_CONF="$folder/ceph.conf"
user=(--setuser root --setgroup root)

say "monitor on port $mon_port"
ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$folder/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
monmaptool --create --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon_port]" "$folder/monmap" >/dev/null
ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/keyring" -c "$CEPH_CONF" "${user[@]}"
ceph-mon -i a -c "$CEPH_CONF" "${user[@]}"
await "the monitor" ceph_admin mon stat

say "manager and storage"
ceph_admin auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' mds 'allow *' >>"$folder/keyring"
ceph-mgr -i x -c "$CEPH_CONF" "${user[@]}"
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
ceph_admin osd new "$osd_uuid" >/dev/null
ceph_admin auth get-or-create osd.0 mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' >>"$folder/keyring"
ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid" -c "$CEPH_CONF" "${user[@]}" >>"$folder/log/mkfs.log" 2>&1
ceph-osd -i 0 -c "$CEPH_CONF" "${user[@]}" >>"$folder/log/osd-start.log" 2>&1
await "the storage" storage_is_up

say "S3 gateway on port $rgw_port"
ceph_admin auth get-or-create client.rgw.test mon 'allow rw' osd 'allow rwx' mgr 'allow rw' >>"$folder/keyring"
radosgw -n client.rgw.test -c "$CEPH_CONF" "${user[@]}" >>"$folder/log/radosgw-start.log" 2>&1
await "the S3 gateway" request GET "http://127.0.0.1:$rgw_port/"

access_key=sluice
secret_key=$(head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n')
timeout 60 radosgw-admin -c "$CEPH_CONF" user create --uid=sluice --display-name=Sluice \
  --access-key="$access_key" --secret="$secret_key" >"$folder/log/user.log" 2>&1
bucket=sluice-test
request PUT "http://127.0.0.1:$rgw_port/$bucket" "$access_key" "$secret_key" >&2

cat >"$folder/env" <<ENV
export SLUICE_TEST_S3_ENDPOINT=http://127.0.0.1:$rgw_port
export SLUICE_TEST_S3_BUCKET=$bucket
export SLUICE_TEST_S3_ACCESS_KEY_ID=$access_key
export SLUICE_TEST_S3_SECRET_ACCESS_KEY=$secret_key
ENV
say "up after $SECONDS s; source $folder/env"
