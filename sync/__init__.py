"""engage-sync: computed traits and audiences from a SQL database to Pushwoosh, only for changed users."""

__version__ = "0.1.0"
