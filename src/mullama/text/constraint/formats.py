r"""`format` -> what enforces it: a regular expression with a longest length, or an integer range.

Each pattern is a subset of its standard that every common reader of the format accepts: years from
0001 (February ends as the calendar says), no leap seconds, internationalized formats in their ASCII
part. So what is written is always valid, though not everything valid can be written.

Sources: RFC 3339 (dates and times, durations in appendix A), RFC 5321 and 1123 (mail, hosts),
RFC 3986 (URIs), RFC 4122 (UUIDs), RFC 6901 and the relative-json-pointer draft, and the formats
that OpenAPI 3.1 and pydantic add. `regex`, `uri-template` and unknown names are not here: nothing
enforces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from mullama.text.constraint.regex import translate


@dataclass(frozen=True, slots=True)
class Format:
    """For strings a pattern (of the whole) and a length; for numbers an inclusive range."""

    pattern: str = ""
    max_length: int | None = None
    integers: tuple[int, int] | None = None


_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DATE = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP}-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})"

_SECONDS = "[0-9]+S"
_MINUTES = f"[0-9]+M(?:{_SECONDS})?"
_HOURS = f"[0-9]+H(?:{_MINUTES})?"
_CLOCK_SPAN = f"T(?:{_HOURS}|{_MINUTES}|{_SECONDS})"
_DAYS = "[0-9]+D"
_MONTHS = f"[0-9]+M(?:{_DAYS})?"
_YEARS = f"[0-9]+Y(?:{_MONTHS})?"
_DURATION = f"P(?:(?:{_YEARS}|{_MONTHS}|{_DAYS})(?:{_CLOCK_SPAN})?|{_CLOCK_SPAN}|[0-9]+W)"

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = rf"{_LABEL}(?:\.{_LABEL})*"
# A label with "--" in its third and fourth place must be Punycode, which no pattern can tell.
_PLAIN_LABEL = (
    "[A-Za-z0-9](?:[A-Za-z0-9-]{0,2}[A-Za-z0-9]"
    "|[A-Za-z0-9-](?:[A-Za-z0-9][A-Za-z0-9-]|-[A-Za-z0-9])[A-Za-z0-9-]{0,58}[A-Za-z0-9])?"
)
_PLAIN_HOSTNAME = rf"{_PLAIN_LABEL}(?:\.{_PLAIN_LABEL})*"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*\.[A-Za-z]{{2,63}}"

_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(?:\.{_BYTE}){{3}}"
_H16 = "[0-9A-Fa-f]{1,4}"
# "::" stands for one or more groups; i groups before it leave at most 7 - i after it.
_IPV6 = "|".join(
    [
        f"(?:{_H16}:){{7}}{_H16}",
        "::",
        f"::{_H16}(?::{_H16}){{0,6}}",
        *(
            f"{_H16}(?::{_H16}){{{i - 1}}}::(?:{_H16}(?::{_H16}){{0,{6 - i}}})?"
            for i in range(1, 7)
        ),
        f"{_H16}(?::{_H16}){{6}}::",
    ]
)

_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_NO_COLON = r"(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})"
_USER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*"
_REG_NAME = r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+"
_AUTHORITY = rf"(?:{_USER}@)?{_REG_NAME}(?::[0-9]{{1,4}})?"
_TAIL = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_SEGMENTS = f"(?:/{_PCHAR}*)*"
_URI = (
    f"[A-Za-z][A-Za-z0-9+.-]*:"
    f"(?://{_AUTHORITY}{_SEGMENTS}|{_PCHAR}+{_SEGMENTS}|/(?:{_PCHAR}+{_SEGMENTS})?){_TAIL}"
)
_RELATIVE = f"(?:/(?:{_PCHAR}+{_SEGMENTS})?|{_NO_COLON}+{_SEGMENTS})?{_TAIL}"
_POINTER = "(?:/(?:[^~/]|~[01])*)*"

_HEX = "[0-9A-Fa-f]"
_ANY = Format()

FORMATS: dict[str, Format] = {
    "date": Format(_DATE),
    "time": Format(_TIME),
    "date-time": Format(f"{_DATE}T{_TIME}"),
    "duration": Format(_DURATION),
    "email": Format(_EMAIL, 254),
    "idn-email": Format(_EMAIL, 254),
    "hostname": Format(_HOSTNAME, 253),
    "idn-hostname": Format(_PLAIN_HOSTNAME, 253),
    "ipv4": Format(_IPV4),
    "ipv6": Format(_IPV6),
    "uri": Format(_URI),
    "iri": Format(_URI),
    "uri-reference": Format(f"{_URI}|{_RELATIVE}"),
    "iri-reference": Format(f"{_URI}|{_RELATIVE}"),
    "uuid": Format(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"),
    "json-pointer": Format(_POINTER),
    "relative-json-pointer": Format(f"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
    "base64": Format("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    "byte": Format("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    "int32": Format(integers=(-(2**31), 2**31 - 1)),
    "int64": Format(integers=(-(2**53), 2**53)),
    # Any value of their type will do: they say how it is stored, or shown.
    "float": _ANY,
    "double": _ANY,
    "binary": _ANY,
    "password": _ANY,
    "path": Format("[^\\0]+"),
}


@cache
def whole_pattern(name: str) -> str:
    """What a whole string of that format matches, in the engine's dialect; "" for anything."""
    pattern = FORMATS[name].pattern
    return f"^(?:{translate(pattern, search=False).must[0]})$" if pattern else ""
