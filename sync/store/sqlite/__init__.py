"""SQLite's own: ``file`` (the store's file, gone or not), and statements: ``staging`` (load), ``recording`` (diff, owe,
advance), ``slots`` (claim, settle)."""
