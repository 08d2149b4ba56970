"""Memory that a column of a parquet file takes, measured without taking it.

Equal cells are stored once, and each row that has one in less than a bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.tables.unpacking import check_rows, check_unpacked

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData, ParquetSchema

PART = 2**27
"""Bytes of a column that are converted at one time."""

BATCH = 2**16
"""Rows that are read at one time, with each of equal cells once."""

VALUE = 4
"""Bytes of a value that is not text, at least, while it is read."""


def rows_in_memory(path: Path, column: str | None = None) -> int:
    """Returns for how many rows the cells of ``column``, None for all, take about PART bytes.

    Raises ZooError as :func:`check_rows` and :func:`check_unpacked`, and as pyarrow for a damaged
    file.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        check_rows(str(path), path.stat().st_size, file.metadata.num_rows)
        what = f"{path}" if column is None else f"the column {column!r} of {path}"
        packed, stated = _sizes(file.metadata, column)
        check_unpacked(what, packed, sum(stated))
        texts = _texts(file.metadata.schema)
    columns, total, fitting = None if column is None else [column], 0, 2**20
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for group in range(len(stated)):
            before = total
            for batch in file.iter_batches(BATCH, row_groups=[group], columns=columns):
                total += sum(map(_bytes, batch.columns))
                check_unpacked(what, packed, total)
            rows = file.metadata.row_group(group).num_rows
            fitting = min(fitting, max(1, rows * PART // max(total - before, 1)))
    return fitting


def read_cells(path: Path, column: str) -> list[Any]:
    """Returns the values of a column of labels; equal words are one object.

    Raises as :func:`rows_in_memory`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        packed, stated = _sizes(file.metadata, column)
        check_unpacked(f"the column {column!r} of {path}", packed, sum(stated))
        kind = file.schema_arrow.field(column).type
    is_text = any(map(kind.equals, (pa.string(), pa.large_string(), pa.binary())))
    if not is_text and not pa.types.is_dictionary(kind):  # lists of any length
        rows_in_memory(path, column)
    values: list[Any] = []
    with pq.ParquetFile(path, read_dictionary=[column] if is_text else None) as file:
        for chunk in file.read(columns=[column]).column(column).chunks:
            if hasattr(chunk, "dictionary"):
                words = [*chunk.dictionary.to_pylist(), None]
                values += [words[-1 if i is None else i] for i in chunk.indices.to_pylist()]
            else:
                values += chunk.to_pylist()
    return values


def _bytes(array: Any) -> int:
    """Returns the bytes of an array with all of its equal cells, but not of its offsets."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        words = array.dictionary
        if pa.types.is_primitive(words.type):
            return len(array) * int(words.type.byte_width)
        return int(pc.sum(pc.binary_length(words).take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(_bytes(array.field(i)) for i in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _bytes(array.keys) + _bytes(array.items)
    return _bytes(array.flatten()) if pa.types.is_nested(kind) else int(array.nbytes)


def _texts(schema: ParquetSchema) -> list[str]:
    """Returns the columns of bytes, also those within others."""
    columns = map(schema.column, range(len(schema)))
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def _sizes(metadata: FileMetaData, column: str | None) -> tuple[int, list[int]]:
    """Returns the bytes of a column, and those of each row group with each of equal cells once."""
    packed, stated = 0, []
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        chunks = [
            chunk
            for chunk in map(group.column, range(group.num_columns))
            if column is None or f"{chunk.path_in_schema}.".startswith(f"{column}.")
        ]
        packed += sum(chunk.total_compressed_size for chunk in chunks)
        stated.append(sum(max(c.total_uncompressed_size, VALUE * c.num_values) for c in chunks))
    return packed, stated
