"""Where the books are kept: in memory, or in an SQLite file that a restart reads again."""

import sqlite3
from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

Item = TypeVar("Item", bound=BaseModel)


class SqliteStore:
    """Rows of JSON, each under the name of its shelf and its key. A change is in the file before it is answered.

    The file is this store's alone until it is closed, or its process ends in whatever way: two simulators that write
    the same books would both give out the same ids.

    Raises:
        sqlite3.Error: the file cannot be opened, is not a database, or is another simulator's at present.
    """

    def __init__(self, path: Path) -> None:
        # No transactions but those asked for, and no wait for one who will not let go.
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("BEGIN EXCLUSIVE")
            self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS books (shelf TEXT, key TEXT, item TEXT NOT NULL, PRIMARY KEY (shelf, key))"
            )
        except sqlite3.Error as error:
            self._connection.close()
            if error.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise sqlite3.OperationalError(
                    "another process uses it; end that one, or give this one a file of its own"
                ) from None
            raise

    def items(self, shelf: str) -> list[tuple[str, str]]:
        """Everything on a shelf, in the order in which it was first put there."""
        return self._connection.execute(
            "SELECT key, item FROM books WHERE shelf = ? ORDER BY rowid", (shelf,)
        ).fetchall()

    def put(self, shelf: str, key: str, item: str) -> None:
        """Keeps one item; an item of that key is replaced and keeps its place."""
        self._connection.execute(
            "INSERT INTO books VALUES (?, ?, ?) ON CONFLICT (shelf, key) DO UPDATE SET item = excluded.item",
            (shelf, key, item),
        )

    def remove(self, shelf: str, key: str) -> None:
        """Forgets one item."""
        self._connection.execute("DELETE FROM books WHERE shelf = ? AND key = ?", (shelf, key))

    def clear(self) -> None:
        """Forgets everything."""
        self._connection.execute("DELETE FROM books")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the context or none, should the process end in it."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


class StorePart:
    """The shelves of one owner in a store that others share.

    Args:
        store: where they are.
        owner: whose they are; part of the names under which they are kept.
    """

    def __init__(self, store: SqliteStore, owner: str) -> None:
        self._store = store
        self._prefix = f"{owner}/" if owner else ""

    def items(self, shelf: str) -> list[tuple[str, str]]:
        """Everything on a shelf, in the order in which it was first put there."""
        return self._store.items(self._prefix + shelf)

    def put(self, shelf: str, key: str, item: str) -> None:
        """Keeps one item; an item of that key is replaced and keeps its place."""
        self._store.put(self._prefix + shelf, key, item)

    def remove(self, shelf: str, key: str) -> None:
        """Forgets one item."""
        self._store.remove(self._prefix + shelf, key)

    def transaction(self) -> AbstractContextManager[None]:
        """All changes of the context or none, should the process end in it."""
        return self._store.transaction()


class Shelf(MutableMapping[str, Item], Generic[Item]):
    """Items of one kind by their keys, in the order of their arrival; written through to the store if there is one.

    Raises:
        sqlite3.DatabaseError: what the store holds is not of that kind.
    """

    def __init__(self, name: str, kind: type[Item], store: StorePart | None) -> None:
        self._name = name
        self._store = store
        self._items: dict[str, Item] = {}
        if store is not None:
            try:
                self._items = {key: kind.model_validate_json(item) for key, item in store.items(name)}
            except ValidationError:
                raise sqlite3.DatabaseError(f"its {name} are not those of this simulator") from None

    def __getitem__(self, key: str) -> Item:
        return self._items[key]

    def __setitem__(self, key: str, item: Item) -> None:
        self._items[key] = item
        if self._store is not None:
            self._store.put(self._name, key, item.model_dump_json())

    def __delitem__(self, key: str) -> None:
        del self._items[key]
        if self._store is not None:
            self._store.remove(self._name, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
