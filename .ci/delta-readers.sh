#!/usr/bin/env bash
# Compares the tables of lakes, as delta-rs and ClickHouse read them, with their landing objects, as pyarrow reads them.
# Usage: .ci/delta-readers.sh LAKE_FOLDER...
# Exit: 0 equal, 1 different, 3 the Python packages could not be installed.
set -euo pipefail
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check deltalake chdb pyarrow; }; then
  echo "the packages deltalake, chdb and pyarrow cannot be installed here" >&2
  exit 3
fi
"$venv/bin/python" "$(dirname "$0")/delta-readers.py" "$@"
