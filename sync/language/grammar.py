"""The grammar: which signs stand where. Which function may follow which is the checker's business.

Names of functions are no keywords here: so a misspelt one is found by the checker, which knows what was meant.
"""

from __future__ import annotations

GRAMMAR = r"""
?start: disjunction

?disjunction: conjunction
            | conjunction (OR conjunction)+ -> joined
?conjunction: negation
            | negation (AND negation)+ -> joined
?negation: comparison
         | (NOT | ANY | ALL) negation -> prefixed
?comparison: chain
           | chain OPERATOR chain -> compared
?chain: primary
      | primary (DOT call)+ -> chained
?primary: call
        | (NAME | TEXT | NUMBER) -> atom
        | LSQB (disjunction (COMMA disjunction)*)? RSQB -> listing
        | LPAR disjunction RPAR -> group

call: NAME LPAR (argument (COMMA argument)*)? RPAR
argument: (NAME COLON)? content
?content: disjunction
        | NUMBER NAME -> measure
        | braces
        | braces braces -> pair
braces: LBRACE (argument (COMMA argument)*)? RBRACE

AND.2: /and\b/i
OR.2: /or\b/i
NOT.2: /not\b/i
ANY.2: /any\b/i
ALL.2: /all\b/i
NAME: /[^\W\d]\w*/
NUMBER: /[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/
TEXT: /'(\\.|[^'\\\r\n])*'/
    | /"(\\.|[^"\\\r\n])*"/
    | /[\u2018\u2019\u201a\u201b](\\.|[^\u2018\u2019\\\r\n])*[\u2018\u2019]/
    | /[\u201c\u201d\u201e\u201f](\\.|[^\u201c\u201d\\\r\n])*[\u201c\u201d]/
OPERATOR: /[=!<>]+/
LPAR: "("
RPAR: ")"
LSQB: "["
RSQB: "]"
LBRACE: "{"
RBRACE: "}"
COMMA: ","
COLON: ":"
DOT: "."

BLANK: /[\s\u200b\u200e\u200f\ufeff]+/
%ignore BLANK
"""
"""Texts may stand in typographic quotes, as the reference prints its own examples; blanks may be invisible, for what is
copied out of a page has such."""
