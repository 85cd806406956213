"""From ``sync.yaml`` to frozen, validated settings; every problem reported at once, with its line and path.

===========  ========================================================================================
load         the way through these rooms: read, fill in, check, build
document     YAML text to plain data and a map from each path to its line
interpolate  ``${VAR}``, ``${VAR:-default}``, ``${file:/path}``
schema       the models: every section's keys, types, defaults and meanings; these sections have rooms of their own:
intake       ``sources`` and ``collector``
destinations ``destinations``
questions    ``audiences``, ``traits``, ``defaults``
section      what every section has in common
fields       the types of single values
editors      the JSON Schema of the file, for editors
verbatim     Segment's mappings stand as they were pasted: JSON's values, nothing filled in
mappings     Segment's mappings, checked and compiled
queries      definitions in Segment's query language: read, checked, and what they refer to
references   what must hold between sections: keys, names, chains of ``after``
history      how long received events are kept, for those who count them
exposure     what must hold between the addresses that are listened on, and between the keys that open them
sentences    a validation error as a sentence
problems     the collection of problems; never a value, for it may be a secret
durations    ``30 days`` in seconds
listen       ``HOST:PORT`` or ``off``
schedule     when a definition is due; the only place that knows APScheduler
settings     the frozen values that the rest of the program reads
fingerprint  by which daemons know whether they follow the same file
coverage     definitions that no mapping takes
starter      what ``engage-sync init`` writes
===========  ========================================================================================
"""

from sync.config.editors import json_schema
from sync.config.listen import Address
from sync.config.load import load
from sync.config.schedule import CatchUp, Schedule
from sync.config.settings import (
    AlertSettings,
    CollectorSettings,
    PushwooshSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    WebSettings,
)

__all__ = [
    "Address",
    "AlertSettings",
    "CatchUp",
    "CollectorSettings",
    "PushwooshSettings",
    "Schedule",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "WebSettings",
    "json_schema",
    "load",
]
