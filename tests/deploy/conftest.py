from tests.proofs import road, sqlite_road

__all__ = ["road", "sqlite_road"]
