"""An export as Parquet: typed columns, some rows at a time. It needs pyarrow, which the extra `parquet` brings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from perennial_billing.ledger.exporting import Kind

ROWS_A_GROUP: Final = 20_000
"""That are kept in memory before they are written together; readers skip what they do not want by groups."""

_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.NUMBER: pa.int64(),
    Kind.AMOUNT: pa.decimal128(20, 2),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.FLAG: pa.bool_(),
}


@contextmanager
def parquet(
    file: BinaryIO, kinds: Mapping[str, Kind]
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:  # Any: a row's columns have different types
    """Writes rows; the file can be read once the context is left well.

    Args:
        file: where to.
        kinds: the columns, in their order.
    """
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in kinds.items()])
    amounts = [name for name, kind in kinds.items() if kind is Kind.AMOUNT]
    kept: list[dict[str, Any]] = []  # Any: as above
    with pq.ParquetWriter(file, schema) as writer:

        def write(rows: Sequence[Mapping[str, Any]]) -> None:
            kept.extend({**row, **{name: _decimal(row[name]) for name in amounts}} for row in rows)
            if len(kept) >= ROWS_A_GROUP:
                put()

        def put() -> None:
            writer.write_batch(pa.RecordBatch.from_pylist(kept, schema=schema))
            kept.clear()

        yield write
        if kept:
            put()


def _decimal(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)
