"""Reads lake folders without any code of Sluice and compares their tables with the landing objects that they came from.

Usage: delta-readers.py LAKE_FOLDER...

The tables are read by delta-rs (package deltalake), the landing objects by pyarrow. A table is equal if it has the
same rows with the same values in every column, or, where landing objects are past their grace and gone, the number of
rows that its commits state; and its statistics must not hide a row. Where the log was cleaned up, so that not all commits
can be asked, the landing objects in the folder are taken. A column that came later than a landing object is null there.
ClickHouse (package chdb), whose reader is another one, must find the same rows and types as delta-rs. Prints a line per table; exit 1 where one differs or nothing could be compared.
"""

import os
import pathlib
import re
import sys

import chdb
import deltalake
import pyarrow as pa
import pyarrow.compute as pc

TABLES = ["readings", "features", "predictions", "labels", "quarantine", "events"]
DATES = {
    "readings": "measured_at",
    "features": "window_end",
    "predictions": "window_end",
    "labels": "known_at",
    "quarantine": "received_at",
    "events": "at",
}
KEY = re.compile(r"landing/\w+/gateway=([^/]+)/epoch=([^/]+)/")


def main(lakes: list[pathlib.Path]) -> int:
    print(f"deltalake {deltalake.__version__}, chdb {chdb.__version__}, pyarrow {pa.__version__}")
    # ClickHouse reads files below the folder that it is in.
    lakes = [lake.resolve() for lake in lakes]
    os.chdir("/")
    return max([read_lake(lake) for lake in lakes], default=1)


def read_lake(lake: pathlib.Path) -> int:
    print(f"{lake}:")
    compared = 0
    differing = 0
    for name in TABLES:
        folder = lake / "tables" / name
        if not folder.exists():
            print(f"{name}: no table")
            continue
        problem, summary = compare(lake, name, deltalake.DeltaTable(str(folder)))
        compared += 1
        differing += problem is not None
        print(f"{name}: {summary}: {problem or 'equal'}")
    if compared == 0:
        print("no table to compare")
    return 1 if compared == 0 or differing > 0 else 0


def compare(lake: pathlib.Path, name: str, delta: deltalake.DeltaTable) -> tuple[str | None, str]:
    table = pa.table(delta.to_pyarrow_table())
    history = delta.history()
    landed = [entry for commit in history for entry in commit.get("sluice", {}).get("landed", [])]
    stated = sum(entry["rows"] for entry in landed)
    there = [entry["key"] for entry in landed if (lake / entry["key"]).exists()]
    if cleaned := len(history) < delta.version() + 1:
        there = sorted(str(path.relative_to(lake)) for path in (lake / "landing" / name).glob("*/*/*"))
        landed = there
    summary = f"version {delta.version()}, {table.num_rows} rows, {len(there)} of {len(landed)} landing objects"
    if cleaned:
        summary += f", {len(history)} commits left"
    if wrong := wrongly_pruned(delta, table, DATES[name]):
        return wrong, summary
    if other := clickhouse_differs(table, lake / "tables" / name):
        return other, summary
    if not cleaned and table.num_rows != stated:
        return f"its commits state {stated} rows", summary
    if len(there) < len(landed) or len(landed) == 0:
        return None, summary
    sources = [read_landing(lake, name, key) for key in there]
    source = pa.concat_tables(sources, promote_options="default")
    return difference(ordered(table), ordered(source.select(table.column_names))), summary


def wrongly_pruned(delta: deltalake.DeltaTable, table: pa.Table, column: str) -> str | None:
    """Files are passed over by the statistics in the log: the newest and the oldest row must still be found."""
    bounds = pc.min_max(table[column]).as_py()
    for bound, value in bounds.items():
        scalar = pa.scalar(value, table[column].type)
        found = delta.to_pyarrow_dataset().to_table(filter=pc.field(column) == scalar).num_rows
        expected = pc.sum(pc.equal(table[column], scalar)).as_py() or 0
        if found != expected:
            return f"{found} rows with the {bound} of {column} are found by the statistics, there are {expected}"
    return None


def clickhouse_differs(table: pa.Table, folder: pathlib.Path) -> str | None:
    path = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    found = chdb.query(f"SELECT * FROM deltaLakeLocal('{path}')", "ArrowTable")
    if found.column_names != table.column_names:
        return f"ClickHouse finds the columns {', '.join(found.column_names)}"
    columns = {name: as_delta(found[name], table[name].type) for name in table.column_names}
    problem = difference(ordered(without_null_lists(pa.table(columns))), ordered(without_null_lists(table)))
    return problem and f"ClickHouse: {problem.replace('landed', 'delta-rs reads it')}"


def as_delta(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """What ClickHouse only calls by another name: UTC, the items of lists, and bytes, which are its strings."""
    same_time = pa.types.is_timestamp(wanted) and column.type == pa.timestamp(wanted.unit, "Etc/UTC")
    same_list = pa.types.is_list(wanted) and pa.types.is_list(column.type) and column.type.value_type == wanted.value_type
    is_bytes = wanted == pa.binary() and column.type == pa.string()
    return column.cast(wanted) if same_time or same_list or is_bytes else column


def without_null_lists(table: pa.Table) -> pa.Table:
    """ClickHouse has no lists that are null: they are empty there."""
    for place, name in enumerate(table.column_names):
        if pa.types.is_list(table[name].type):
            lists = [[] if value is None else value for value in table[name].to_pylist()]
            table = table.set_column(place, name, pa.chunked_array([pa.array(lists, table[name].type)]))
    return table


def read_landing(lake: pathlib.Path, name: str, key: str) -> pa.Table:
    with pa.input_stream(str(lake / key), compression="zstd") as stream:
        table = pa.ipc.open_stream(stream).read_all()
    gateway, epoch = KEY.match(key).groups()
    columns = {"gateway": pa.array([gateway] * table.num_rows), "epoch": pa.array([epoch] * table.num_rows)}
    for column in table.column_names:
        values = table[column]
        columns[column] = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    columns["date"] = pc.cast(columns[DATES[name]], pa.timestamp("us")).cast(pa.date32(), safe=False)
    return pa.table(columns)


def ordered(table: pa.Table) -> pa.Table:
    keys = [key for key in ["gateway", "epoch", "offset", "seq", "index"] if key in table.column_names]
    return table.sort_by([(key, "ascending") for key in keys])


def difference(table: pa.Table, source: pa.Table) -> str | None:
    for column in table.column_names:
        if table[column].type != source[column].type:
            return f"column {column} is {table[column].type}, landed as {source[column].type}"
        if table[column].combine_chunks().to_pylist() != source[column].combine_chunks().to_pylist():
            return f"column {column} has other values than landed"
    return None


if __name__ == "__main__":
    sys.exit(main([pathlib.Path(lake) for lake in sys.argv[1:]]))
