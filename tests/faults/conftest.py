from tests.proofs import postgresql_road, road, sqlite_road, transport

__all__ = ["postgresql_road", "road", "sqlite_road", "transport"]
