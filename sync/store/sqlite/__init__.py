"""SQLite's own statements: ``staging`` (load), ``recording`` (diff, owe, advance), ``slots`` (claim, settle)."""
