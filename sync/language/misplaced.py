"""What to say about a sign that stands where it cannot: what was found, what could stand there, what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token

_LONGEST_SHOWN = 40

_STANDS = {
    "OPERATOR": "a comparison such as `>= 1`",
    "DOT": "`.` and a function",
    "LPAR": "`(`",
    "AND": "`AND`",
    "OR": "`OR`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "RBRACE": "`}`",
    "$END": "the end",
}
_OPENED_BY = {"RPAR": "(", "RSQB": "[", "RBRACE": "{"}
_CLOSED_BY = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}

_CHARACTERS = {
    "'": "this text has no closing quote in its line",
    '"': "this text has no closing quote in its line",
    "\u2018": "this text has no closing `\u2019` in its line",
    "\u2019": "this text has no closing `\u2019` in its line",
    "\u201c": "this text has no closing `\u201d` in its line",
    "\u201d": "this text has no closing `\u201d` in its line",
    "`": "texts stand in quotes: write `'…'`",
    "\\": "a backslash stands only inside a text",
    "&": "write `AND`",
    "|": "write `OR`",
    ";": "a query is one expression: leave the `;` out",
    "#": "there are no comments in a query: leave it out",
    "/": "there is neither division nor a comment in a query: leave it out",
    "*": "there is no arithmetic in a query",
    "+": "there is no arithmetic in a query; a number's sign stands directly before its digits",
    "-": "there is neither arithmetic nor a comment in a query; a number's sign stands directly before its digits",
    "\u2013": "write a minus as `-`",
    "\u2014": "write a minus as `-`",
    "\u2212": "write a minus as `-`",
    "\u2265": "write `>=`",
    "\u2264": "write `<=`",
    "\u2260": "write `!=`",
    "$": "a name such as `$amount` stands in quotes: `property('$amount')`",
}


def misplaced_token(tokens: Sequence[Token], accepted: set[str]) -> str:
    """The sentence for the last of ``tokens``, where only ``accepted`` kinds could stand."""
    found, before = tokens[-1], tokens[-2] if len(tokens) > 1 else None
    if before is None and not found:
        return "the query is empty: write for example `event('Order Completed').count() >= 1`"
    said = f"found {shown(found)} where {_listed(_standing(accepted - _senseless(before, accepted)))} could stand"
    meant = _meant(found, before, accepted) or _unclosed(tokens)
    return f"{said}: {meant}" if meant else said


def misplaced_character(rest: str) -> str:
    """The sentence for the first character of ``rest``, which begins no token."""
    meant = _CHARACTERS.get(rest[0]) or "no name, number, text or sign begins so"
    return f"found {shown(rest[0])}: {meant}"


def shown(found: str) -> str:
    """A piece of the query for a message: short, and without anything that a terminal would obey."""
    if not found:
        return "the end"
    printable = found if found.isprintable() else ascii(found)[1:-1]
    return f"`{printable[:_LONGEST_SHOWN]}{'…' if len(printable) > _LONGEST_SHOWN else ''}`"


def _senseless(before: Token | None, accepted: set[str]) -> set[str]:
    """What the grammar lets follow a literal, and the checker does not."""
    if before is None or before.type not in {"TEXT", "NUMBER"}:
        return set()
    return {"DOT", "OPERATOR", "AND", "OR"} if "OPERATOR" in accepted else {"DOT"}


def _standing(accepted: set[str]) -> list[str]:
    """What the kinds mean to whoever writes a query; the words for what begins something come first."""
    words: list[str] = []
    if "TEXT" in accepted:
        words.append("`event('…')`, `trait('…')`, a text or a number")
    elif "NAME" in accepted:
        words.append("a function such as `count()`" if accepted == {"NAME"} else "a unit (`hours`, `days`)")
    hidden = {"LPAR"} if "TEXT" in accepted else set()
    return words + [word for kind, word in _STANDS.items() if kind in accepted - hidden]


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "nothing"


def _meant(found: Token, before: Token | None, accepted: set[str]) -> str:
    """What was probably meant, from the two tokens that do not go together."""
    kind = found.type
    if accepted == {"LPAR"} and before is not None:
        return f"write `{before}()`, with parentheses"
    if before is not None and before.type == "TEXT" and kind in {"NAME", "NUMBER", "TEXT"}:
        return "a quote inside a text is written with a backslash, `\\'`"
    if kind == "OPERATOR":
        return _meant_operator(found, before, accepted)
    if before is not None and before.type == "OPERATOR" and not found:
        return f"write what to compare with behind `{before}`"
    if kind == "NAME" and "DOT" in accepted:
        return (
            f"if it belongs to what stands before it, put a dot before {shown(found)}; else join them by `AND` or `OR`"
        )
    if kind == "COMMA" and "COMMA" not in accepted:
        digits = before is not None and before.type == "NUMBER"
        separated = ", and write numbers without separators, as `1000`" if digits else ""
        return f"join conditions by `AND` or `OR`{separated}"
    return ""


def _meant_operator(found: Token, before: Token | None, accepted: set[str]) -> str:
    if found == "!":
        return "write `NOT`"
    if before is not None and before.type == "OPERATOR":
        return f"write one operator, without a blank inside: `{before}{found}`"
    if "AND" in accepted:
        return "a comparison has two sides: join two comparisons by `AND`"
    return ""


def _unclosed(tokens: Sequence[Token]) -> str:
    """What is wrong with brackets, when the last of ``tokens`` closes none, the wrong one, or too few."""
    found = tokens[-1]
    opened: list[Token] = []
    for token in tokens[:-1]:
        if token.type in _CLOSED_BY:
            opened.append(token)
        elif token.type in _OPENED_BY:
            opened.pop()
    if found.type in _OPENED_BY and not opened:
        return f"there is no `{_OPENED_BY[found.type]}` that it closes"
    if opened and (not found or found.type in _OPENED_BY) and _CLOSED_BY[opened[-1].type] != found:
        place = f"in line {opened[-1].line}, column {opened[-1].column}"
        return f"the `{opened[-1]}` {place} waits for its `{_CLOSED_BY[opened[-1].type]}`"
    return ""
