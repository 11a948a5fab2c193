"""The responses as Parquet, with types; a row group is written as soon as it is full."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from survey_site.analysis.columns import Column
from survey_site.analysis.exporting.copying import PLAIN, Told, copied, response_columns
from survey_site.analysis.exporting.selection import Selection

ROWS_PER_GROUP = 24_000

#: By a column's type. Text is as it was given: no program runs a Parquet cell as a formula.
TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "id": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "0 or 1": pa.bool_(),
    "UTC time": pa.timestamp("ms", tz="UTC"),
}


class _Sink(io.RawIOBase):
    """Where the writer writes to, without a way back; `take` gives what has come since."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written.append(bytes(data))
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def responses_parquet(selection: Selection, told: Told) -> Iterator[bytes]:
    """All chosen responses in the order of the CSV; a value that is not there is null."""
    columns = response_columns(selection)
    schema, sink = parquet_schema(columns), _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for batch in copied(selection, columns, formats=PLAIN):
            if batch.n_rows:
                waiting.append(_table(batch.csv, schema))
            if sum(table.num_rows for table in waiting) >= ROWS_PER_GROUP or batch.done == batch.total:
                writer.write_table(
                    pa.concat_tables(waiting, promote_options="none") if waiting else schema.empty_table()
                )
                waiting = []
                yield sink.take()
            told(batch.done, batch.total)
    yield sink.take()


def parquet_schema(columns: Sequence[Column]) -> pa.Schema:
    """Every field carries its column's description."""
    return pa.schema(
        pa.field(column.name, TYPES[column.type], metadata={"description": column.description})
        for column in columns
    )


def _table(csv: bytes, schema: pa.Schema) -> pa.Table:
    """Rows that COPY wrote: numbers to their last bit, nothing between two commas is null."""
    return pa_csv.read_csv(
        pa.BufferReader(csv),
        read_options=pa_csv.ReadOptions(
            column_names=schema.names, use_threads=False, block_size=len(csv) + 1
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["1"],
            false_values=["0"],
        ),
    ).cast(schema)
