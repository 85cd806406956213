from tests.proofs import postgresql_road, road, sqlite_road

__all__ = ["postgresql_road", "road", "sqlite_road"]
