"""From a run's error message to a small typed reading.

A message is ACR's own sentence around what another service said: .NET exception text, XML, JSON, with line
breaks where somebody put them, cut off where somebody stopped. So nothing is parsed as a whole; codes and
phrases are looked for wherever they stand (:mod:`shared.evidence.phrases`), once escapes are undone.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from shared.evidence.phrases import (
    BARE_STATUSES,
    NO_SUCH_NAME,
    PERIMETER,
    PHRASES,
    SERVICE_WORDS,
    THROTTLED,
    Service,
)
from shared.redaction import redact
from shared.times import parse_http_date, parse_time

# Longer texts are read at both ends: the refusal stands at the beginning, a trailing exception at the end.
_LONGEST_READ: Final = 16_000
_LONGEST_KEPT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A cause that the message names. ``rules`` has several where the live evidence has to choose.

    ``usual`` is taken where the evidence says nothing; with a single rule it says that this is no more than usual.
    """

    rules: tuple[str, ...]
    usual: str
    phrase: str

    @property
    def decides(self) -> bool:
        """Whether the message names a single cause, and for certain."""
        return len(self.rules) == 1 and not self.usual


@dataclass(frozen=True, slots=True)
class MessageReading:
    """What a message says. ``text`` is the whole message without secrets.

    ``claims`` come in the order in which they are believed. ``times`` are the token's start and end and the
    moment of the refusal, as Storage wrote them.
    """

    text: str = ""
    service: Service | None = None
    statuses: tuple[int, ...] = ()
    claims: tuple[Claim, ...] = ()
    times: tuple[datetime | None, datetime | None, datetime | None] = (None, None, None)
    host: str = ""
    object_id: str = ""

    def claims_rule(self, rule_id: str) -> bool:
        """Whether the message names the rule, alone or among others."""
        return any(rule_id in claim.rules for claim in self.claims)


NO_MESSAGE: Final = MessageReading()

_STATUS: Final = re.compile(
    r"(?:status(?:\s?code)?|http(?:/\d(?:\.\d)?)?|code|error)[\"'\s:=(]{1,6}(\d{3})\b"
    r"|\b(\d{3})[\s:(-]{1,3}(?:Forbidden|Unauthorized|Not\s?Found|Conflict|Bad\s?Request|Gone|Precondition|Too\s?Many)",
    re.IGNORECASE,
)
# A token without a start gives a text without one, so each is looked for on its own.
_START, _EXPIRY, _CURRENT = (
    re.compile(rf"\b{name}\s{{0,5}}\[([^\]]{{4,60}})\]", re.IGNORECASE) for name in ("Start", "Expiry", "Current")
)
_OUTSIDE_TIME_FRAME: Final = re.compile(
    r"signature\s{1,5}not\s{1,5}valid\s{1,5}in\s{1,5}the\s{1,5}specified\s{1,5}time", re.IGNORECASE
)
# Backslashes double with each level, so any number of them is one.
_JSON_ESCAPE: Final = re.compile(r"\\{1,64}(?:u([0-9a-f]{4})|([\"'/])|[nrt])", re.IGNORECASE)
_DEEPEST: Final = 4
_HOST: Final = re.compile(
    r"\b([a-z0-9][a-z0-9-]{1,62}\.(?:blob\.|vault\.|vaultcore\.)[a-z0-9.-]{3,80}[a-z0-9])", re.IGNORECASE
)
# Both begin with what is rare in a text, which keeps the search for them fast.
_QUOTED: Final = re.compile(r"['\"`‘“](?<!\w.)(?!/)([^'\"`‘’“”\n]{1,300})['\"`’”](?!\w)")
_PATH: Final = re.compile(r"://[^\s/'\"`‘“<>]{1,300}/([^\s'\"`‘“<>]{1,2000})")
_THING: Final = re.compile(
    r"\b(?:blob|container|artifact|image|tag|repository|secret|vault|account|file|pipeline)\s$", re.IGNORECASE
)
_LONGEST_THING: Final = 12
_FILE_ENDINGS: Final = (".tar", ".tgz", ".gz", ".zip", ".json")
# Resource ids, login servers and addresses: what they say of the kind of thing is wanted.
_ADDRESS_MARKS: Final = ("microsoft.", ".azurecr.", "://")
_OBJECT_ID: Final = re.compile(
    r"\b(?:oid|object id)[=:\s'\"]{1,4}([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})", re.IGNORECASE
)


def read_message(message: str) -> MessageReading:
    """Reads ``message``; an empty one gives :data:`NO_MESSAGE`. Takes linear time, whatever the text."""
    if not message.strip():
        return NO_MESSAGE
    # A storm of failures says the same again and again; a huge text is not worth its memory.
    return _read_again(message) if len(message) <= _LONGEST_KEPT else _read(message)


def _read(message: str) -> MessageReading:
    whole = redact(message)
    text = (
        whole if len(whole) <= _LONGEST_READ else f"{whole[: _LONGEST_READ * 3 // 4]}\n{whole[-_LONGEST_READ // 4 :]}"
    )
    text = _unescaped(text)
    statuses = tuple(dict.fromkeys(int(first or second) for first, second in _STATUS.findall(text)))
    lowered = text.lower()
    host = _first(_HOST, text).lower() if ".blob." in lowered or ".vault" in lowered else ""
    times = _times(text) if "expiry" in lowered else (None, None, None)
    spoken = _without_names(text)
    claims, service = _claims(text, spoken, host, times)
    service = service or _service(spoken, host)
    # Having been throttled explains no refusal.
    if all(claim.rules == THROTTLED for claim in claims):
        claims = (*_bare_status(service, statuses), *claims)
    object_id = _first(_OBJECT_ID, text).lower() if "oid" in lowered or "object id" in lowered else ""
    return MessageReading(whole, service, statuses, claims, times, host, object_id)


_read_again: Final = lru_cache(maxsize=1_024)(_read)


def _unescaped(text: str) -> str:
    """The text out of the JSON and XML that it has travelled in, each of which may have escaped the other's."""
    plain = text
    for _ in range(_DEEPEST):
        before = plain
        if "\\" in plain:
            plain = _JSON_ESCAPE.sub(_meant, plain)
        if "&" in plain:
            plain = html.unescape(plain)
        if plain == before:
            break
    return plain if plain == text else redact(plain)


def _meant(escape: re.Match[str]) -> str:
    code, sign = escape.groups()
    character = chr(int(code, 16)) if code else sign or "\n"
    # Half of a character beyond the basic plane, or a control character: neither belongs to any phrase.
    return character if character.isprintable() else "\n"


def _without_names(text: str) -> str:
    """The text with what is only a name blotted out, letter for letter: a container may be called 'expired-tokens'."""
    spoken = _QUOTED.sub(_blotted, text)
    return _PATH.sub(_blotted_path, spoken) if "://" in spoken else spoken


def _blotted(quoted: re.Match[str]) -> str:
    """A name is quoted in one word, or behind the kind of thing that it names, or it has a file's ending."""
    whole, name = quoted.group(), quoted.group(1).lower()
    if any(mark in name for mark in _ADDRESS_MARKS):
        return whole
    before = quoted.string[max(0, quoted.start() - _LONGEST_THING) : quoted.start()]
    if " " in name and not name.endswith(_FILE_ENDINGS) and not _THING.search(before):
        return whole
    return f"{whole[0]}{'_' * (len(whole) - 2)}{whole[-1]}"


def _blotted_path(address: re.Match[str]) -> str:
    path = address.group(1)
    return f"{address.group()[: -len(path)]}{'_' * len(path)}"


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return str(match.group(1)) if match else ""


def _times(text: str) -> tuple[datetime | None, datetime | None, datetime | None]:
    start, expiry, current = (_time(_first(pattern, text)) for pattern in (_START, _EXPIRY, _CURRENT))
    return (start, expiry, current)


def _time(text: str) -> datetime | None:
    line = " ".join(text.split())
    return parse_time(line) or parse_http_date(line) if line else None


def _claims(
    text: str, spoken: str, host: str, times: tuple[datetime | None, datetime | None, datetime | None]
) -> tuple[tuple[Claim, ...], Service | None]:
    lowered = text.lower()
    lowered_spoken = lowered if spoken == text else spoken.lower()
    claims: list[Claim] = []
    service: Service | None = None
    window = _OUTSIDE_TIME_FRAME.search(text) if "time" in lowered else None
    if window or any(times):
        claims.append(_time_claim(times, window.group() if window else "Start … Expiry"))
        service = Service.STORAGE
    covered: list[tuple[int, int]] = [window.span()] if window else []
    for phrase in PHRASES:
        match = phrase.find(text, lowered) if phrase.is_code else phrase.find(spoken, lowered_spoken)
        # A general sentence inside a special one that has spoken already adds nothing.
        if match is None or any(start <= match.start() < end for start, end in covered):
            continue
        covered.append(match.span())
        rules = phrase.rules
        if rules == NO_SUCH_NAME:
            rules = _of_service(rules, _service(spoken, host))
        elif rules == PERIMETER:
            # Only a vault's words are known: it is Storage's where a text speaks of Storage and of no vault.
            beside = _service(spoken, "")
            service = service or (Service.STORAGE if beside is Service.STORAGE else Service.KEY_VAULT)
            rules = _of_service(rules, service)
        service = service or phrase.service
        said = text[match.start() : match.end()]
        claims.append(Claim(rules, phrase.usual, " ".join(said.split())[:200]))
    # What decides is believed before what leaves a choice; within each, the order of the list.
    return tuple(sorted(claims, key=lambda claim: not claim.decides)), service


def _time_claim(times: tuple[datetime | None, datetime | None, datetime | None], phrase: str) -> Claim:
    start, expiry, current = times
    if current and expiry and current >= expiry:
        return Claim(("ACRT301",), "", phrase)
    if current and start and current < start:
        return Claim(("ACRT302",), "", phrase)
    return Claim(("ACRT301", "ACRT302"), "ACRT301", phrase)


def _of_service(rules: tuple[str, ...], service: Service | None) -> tuple[str, ...]:
    """Of a vault's rule and Storage's the one that is meant, both where that can't be told."""
    vaults, storages = rules
    if service is Service.STORAGE:
        return (storages,)
    return (vaults,) if service is Service.KEY_VAULT else rules


def _service(text: str, host: str) -> Service | None:
    if ".vault" in host:
        return Service.KEY_VAULT
    if ".blob." in host:
        return Service.STORAGE
    return next((service for service, words in SERVICE_WORDS if words.search(text)), None)


def _bare_status(service: Service | None, statuses: tuple[int, ...]) -> tuple[Claim, ...]:
    """A status without a reason narrows the search down, by its service if that is known, and decides nothing."""
    status = next((status for status in statuses if status in BARE_STATUSES), None)
    if status is None:
        return ()
    candidates = BARE_STATUSES[status]
    if service is None or service not in candidates:
        rules = tuple(dict.fromkeys(rule for _, rules in candidates.values() for rule in rules))
        return (Claim(rules, "", f"{status}"),)
    usual, rules = candidates[service]
    return (Claim(rules, usual, f"{status} from {service}"),)
