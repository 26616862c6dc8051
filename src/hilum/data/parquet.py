"""Parquet files of ours: a table and, in the file's own metadata, what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hilum.errors import DataError

if TYPE_CHECKING:
    import pyarrow


def write_table(path: Path, table: pd.DataFrame, schema: str, about: Mapping[str, Any]) -> None:
    """Writes beside and renames into place, so that a killed run leaves no half file.

    Args:
        schema: name and version of the kind of table, such as `hilum.manifest/1`.
        about: what JSON can hold.
    """
    import pyarrow as pa

    write_arrow(path, pa.Table.from_pandas(table, preserve_index=False), schema, about)


def write_arrow(path: Path, arrow: pyarrow.Table, schema: str, about: Mapping[str, Any]) -> None:
    """As `write_table`, for columns that pandas has no type for, such as a vector a row."""
    import pyarrow.parquet as pq

    header = json.dumps({"schema": schema, **about}).encode()
    partial = path.with_name(path.name + ".partial")
    pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"hilum": header}), partial)
    partial.replace(path)


def read_table(path: Path, schema: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Reads what `write_table` wrote.

    Raises:
        DataError: no such file, another kind of file, or another schema.
    """
    arrow, about = read_arrow(path, schema)
    return arrow.to_pandas(), about


def read_arrow(path: Path, schema: str) -> tuple[pyarrow.Table, dict[str, Any]]:
    """As `read_table`, the columns as they lie in the file.

    Raises:
        DataError: as `read_table`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(path)
        about = json.loads((arrow.schema.metadata or {})[b"hilum"])
    except FileNotFoundError:
        raise DataError(str(path), expected=f"a file of the kind {schema}", found="no such file") from None
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(str(path), expected=f"a file of the kind {schema}", found=str(error)) from None
    if about.pop("schema", None) != schema:
        raise DataError(str(path), expected=f"a file of the kind {schema}", found="another kind of table")
    return arrow, about
