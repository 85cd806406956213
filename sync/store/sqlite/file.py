"""The file of a SQLite store: the very file that was opened, not whatever lies under its name later.

Unix lets a file be deleted or replaced while a process has it open. Whatever that process writes from then on is gone
when it ends, and SQLite by itself would make an empty file in its place. So a file is never made twice, every connection
that is given out and every commit asks whether the file is still there, and nothing is recorded where nobody will find it.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote
from weakref import WeakSet

from sync.errors import StoreError, StoreUnavailable

_open_files: WeakSet[StoreFile] = WeakSet()
"""Those that this process has open, so that reading the configuration anew does not take a deleted store for a new one."""


class StoreFile:
    """A store's file. ``path`` is absolute, for a process may go elsewhere."""

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        self._opened: tuple[int, int] | None = None
        self._gone = ""

    def uri(self) -> str:
        """What to open: only the first time may that make a file."""
        if self._opened is not None:
            self.check()
        mode = "rwc" if self._opened is None else "rw"
        return f"file:{quote(os.fsencode(self.path))}?mode={mode}"

    def opened(self) -> None:
        """It was opened: from now on it is this one, or none."""
        if self._opened is None:
            self._opened = self._found()
            _open_files.add(self)

    def closed(self) -> None:
        """All connections to it were given back."""
        _open_files.discard(self)

    def check(self) -> None:
        """Raise `StoreUnavailable` unless it is still where it was opened. Once gone it stays so: its number (inode) may
        be given to another file as soon as nobody has it open."""
        if not self._gone and (found := self._found()) != self._opened:
            how = "was deleted or moved" if found is None else "was replaced by another one"
            self._gone = (
                f"the store's file is gone: {self.path} {how} while it was in use; nothing was recorded: "
                "stop every process of engage-sync, put the file or a backup in place, and start them again"
            )
        if self._gone:
            raise StoreUnavailable(self._gone)

    def check_not_deleted(self) -> None:
        """Raise `StoreUnavailable` when this process has the file open, and it is not there any more."""
        for each in list(_open_files):
            if each.path == self.path:
                each.check()

    def check_writable(self) -> None:
        """Raise `StoreError` when this user may not write it, its log, or the folder in which the log is made."""
        file = self.path.resolve()
        beside = (Path(f"{file}-wal"), Path(f"{file}-shm"))
        for place in (file, *(each for each in beside if os.access(each, os.F_OK)), file.parent):
            if not os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                raise StoreError(
                    f"the store cannot be written by this user: check the rights of {place}, "
                    "and whether its file system is mounted read-only"
                )

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError:  # a folder on the way that may not be entered any more: SQLite says so itself
            return self._opened
        return found.st_dev, found.st_ino
