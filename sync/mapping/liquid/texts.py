"""Liquid's filters on texts, as liquidjs has them: every value is made a text first, and nothing counts as ``""``."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from urllib.parse import quote, unquote

from liquid.exceptions import FilterArgumentError

from sync.mapping.directives.encoding import json_text
from sync.mapping.liquid.numbers import to_number
from sync.mapping.values import BLANKS, LONGEST_TEXT, MISSING, text_of

_SPACES = re.compile(f"[{BLANKS}]+")
_ENTITY = re.compile(r"&(amp|lt|gt|#34|#39);")
_BLOCKS = {"<script": "</script>", "<style": "</style>", "<!--": "-->", "<": ">"}


def text(value: object) -> str:
    """What Liquid prints for a value: lists run together, nothing for nothing."""
    if value is None or value is MISSING:
        return ""
    return "".join(map(text, value)) if isinstance(value, list) else text_of(value)


def append(value: object, end: object) -> str:
    return text(value) + text(end)


def prepend(value: object, start: object) -> str:
    return text(start) + text(value)


def capitalize(value: object) -> str:
    whole = text(value)
    return whole[:1].upper() + whole[1:].lower()


def downcase(value: object) -> str:
    return text(value).lower()


def upcase(value: object) -> str:
    return text(value).upper()


def strip(value: object, characters: object = None) -> str:
    return text(value).strip(text(characters) or BLANKS)


def lstrip(value: object, characters: object = None) -> str:
    return text(value).lstrip(text(characters) or BLANKS)


def rstrip(value: object, characters: object = None) -> str:
    return text(value).rstrip(text(characters) or BLANKS)


def squish(value: object) -> str:
    return normalize_whitespace(value).strip(BLANKS)


def normalize_whitespace(value: object) -> str:
    return _SPACES.sub(" ", text(value))


def strip_newlines(value: object) -> str:
    return text(value).replace("\r\n", "\n").replace("\n", "")


def strip_html(value: object) -> str:
    """The text without tags, comments, scripts and styles; what is not closed stays."""
    whole = text(value)
    blocks = dict(_BLOCKS)
    kept = []
    done = 0
    while (start := whole.find("<", done)) >= 0:
        kept.append(whole[done:start])
        end = -1
        for opening in [each for each in blocks if whole.startswith(each, start)]:
            end = whole.find(blocks[opening], start + len(opening))
            if end >= 0:
                done = end + len(blocks[opening])
                break
            del blocks[opening]
        if end < 0:
            return "".join((*kept, whole[start:]))
    return "".join((*kept, whole[done:]))


def split(value: object, separator: object = None) -> list[str]:
    whole, between = text(value), text(separator)
    parts = whole.split(between) if between else list(whole)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def replace(value: object, old: object, new: object = None) -> str:
    whole, wanted, other = text(value), text(old), text(new)
    found = whole.count(wanted) if wanted else len(whole)
    if len(whole) + found * len(other) > LONGEST_TEXT:
        raise FilterArgumentError("the text grows too long", token=None)
    return whole.replace(wanted, other) if wanted else other.join(whole)


def replace_first(value: object, old: object, new: object = None) -> str:
    return text(value).replace(text(old), text(new), 1)


def replace_last(value: object, old: object, new: object = None) -> str:
    whole, wanted = text(value), text(old)
    start = whole.rfind(wanted)
    return whole if start < 0 else whole[:start] + text(new) + whole[start + len(wanted) :]


def remove(value: object, part: object) -> str:
    return text(value).replace(text(part), "")


def remove_first(value: object, part: object) -> str:
    return replace_first(value, part)


def remove_last(value: object, part: object) -> str:
    return replace_last(value, part)


def truncate(value: object, length: object = 50, end: object = "...") -> str:
    whole, longest, tail = text(value), int(to_number(length)), text(end)
    return whole if len(whole) <= longest else whole[: max(longest - len(tail), 0)] + tail


def truncatewords(value: object, words: object = 15, end: object = "...") -> str:
    every = _SPACES.split(text(value).lstrip(BLANKS))
    most = max(int(to_number(words)), 1)
    return " ".join(every[:most]) + (text(end) if len(every) >= most else "")


def number_of_words(value: object) -> int:
    whole = squish(value)
    return len(whole.split(" ")) if whole else 0


def escape(value: object) -> str:
    return html.escape(text(value), quote=False).replace('"', "&#34;").replace("'", "&#39;")


def escape_once(value: object) -> str:
    return escape(_ENTITY.sub(lambda found: html.unescape(found[0]), text(value)))


def url_encode(value: object) -> str:
    return quote(text(value), safe="!'()*~").replace("%20", "+")


def url_decode(value: object) -> str:
    return unquote(text(value).replace("+", " "), errors="strict")


def base64_encode(value: object) -> str:
    return base64.b64encode(text(value).encode()).decode()


def base64_decode(value: object) -> str:
    return base64.b64decode(text(value)).decode(errors="replace")


def sha256(value: object) -> str:
    return hashlib.sha256(text(value).encode()).hexdigest()


def json(value: object) -> str:
    return "" if value is MISSING else json_text(value)
