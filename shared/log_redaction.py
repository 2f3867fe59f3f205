"""The second net under everything that is logged or raised: no text leaves the process with a secret in it.

The readers redact what services say before it becomes an exception. What is caught here is what nobody thought
of: a library's own records, a traceback, an error that nobody expected. Records are redacted as they are made, so
that every handler gets them clean, also those that the host adds later.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from shared.errors import MonitorError
from shared.redaction import redact

# What a record has by itself; everything else came in by ``extra=``.
_OWN_FIELDS: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime"}
_DEEPEST: Final = 8
# They write each request with its URL and headers at INFO or DEBUG.
_TALKATIVE: Final = ("azure", "aiohttp", "msal", "urllib3")

RecordFactory = Callable[..., logging.LogRecord]


class UnexpectedError(MonitorError):
    """An exception of somebody else whose text held a secret: its type and its text without it."""


class RedactingFactory:
    """Makes log records without secrets, by way of the factory that was there before."""

    def __init__(self, inner: RecordFactory) -> None:
        self.inner = inner

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        """A record of :mod:`logging`, redacted."""
        return redact_record(self.inner(*args, **options))


class RedactingMaker:
    """``Logger.makeRecord``, which puts ``extra=`` fields into a record after the factory has made it."""

    def __init__(self, inner: Callable[..., logging.LogRecord]) -> None:
        self.inner = inner

    def __get__(self, logger: logging.Logger | None, _kind: type[logging.Logger]) -> Any:
        """Binds it to a logger, as a method is."""
        return self if logger is None else partial(self._made, logger)

    def _made(self, logger: logging.Logger, *args: Any, **options: Any) -> logging.LogRecord:
        record = self.inner(logger, *args, **options)
        for name in vars(record).keys() - _OWN_FIELDS:
            vars(record)[name] = _without_secrets(vars(record)[name])
        return record


def install() -> None:
    """Redacts every record of this process from now on, and keeps HTTP logging quiet. Twice is the same as once."""
    if not isinstance(logging.getLogRecordFactory(), RedactingFactory):
        logging.setLogRecordFactory(RedactingFactory(logging.getLogRecordFactory()))
    if not isinstance(_maker(), RedactingMaker):
        _set_maker(RedactingMaker(_maker()))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def installed() -> Iterator[None]:
    """The same for the time of one command."""
    before, maker = logging.getLogRecordFactory(), _maker()
    install()
    try:
        yield
    finally:
        logging.setLogRecordFactory(before)
        _set_maker(maker)


def _maker() -> Callable[..., logging.LogRecord]:
    maker: Callable[..., logging.LogRecord] = vars(logging.Logger)["makeRecord"]
    return maker


def _set_maker(maker: Any) -> None:
    # On the class itself: loggers that exist already have to have it too.
    logging.Logger.makeRecord = maker  # type: ignore[method-assign]


def redact_record(record: logging.LogRecord) -> logging.LogRecord:
    """Takes secrets out of a record's message, arguments, exception and stack."""
    record.args = _redact_arguments(record.args)
    try:
        # Together: neither "sig=%s" nor its argument looks like a secret alone.
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that don't fit are for logging to report, without secrets
        record.msg = redact(str(record.msg))
        record.args = _redact_arguments(record.args, everything=True)
    else:
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        clean = redact(text)
        if clean != text:
            # A formatter that finds a text does not look at the exception, and here it can't.
            record.exc_info, record.exc_text = None, clean
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def _without_secrets(value: Any, depth: int = 0) -> Any:
    """An ``extra=`` field as any exporter may write it: what it holds, or its text where that has a secret."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_without_secrets(key, _DEEPEST): _without_secrets(item, depth + 1) for key, item in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets(item, depth + 1) for item in value]
    text = f"{value} {value!r}"
    return value if redact(text) == text else redact(str(value))


def _redact_arguments(arguments: Any, *, everything: bool = False) -> Any:
    def clean(value: object) -> object:
        if isinstance(value, str):
            return redact(value)
        return redact(repr(value)) if everything else value

    if isinstance(arguments, Mapping):
        return {name: clean(value) for name, value in arguments.items()}
    return tuple(clean(value) for value in arguments) if isinstance(arguments, tuple) else arguments


@contextmanager
def errors_without_secrets() -> Iterator[None]:
    """Around a function's handler: the worker writes the text and the chain of whatever leaves it to the host."""
    try:
        yield
    except Exception as error:
        clean = without_secrets(error)
        if clean is error:
            raise
        raise clean.with_traceback(error.__traceback__) from None


def without_secrets(error: Exception) -> Exception:
    """``error`` itself if no secret stands in it or its chain; else one without, of its type if it is ours."""
    text = _text(error)
    if redact(text) == text:
        return error
    words = redact(str(error))
    if isinstance(error, MonitorError):
        clean: Exception = type(error).__new__(type(error), words)
        clean.__dict__.update({name: _clean_attribute(value) for name, value in vars(error).items()})
        if redact(_text(clean)) == _text(clean):
            return clean
    return UnexpectedError(f"{type(error).__name__}: {words}")


def _clean_attribute(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    # The notes of an exception.
    return [_clean_attribute(item) for item in value] if isinstance(value, list) else value


def _text(error: Exception) -> str:
    return "".join([*traceback.format_exception(error), str(error), repr(error)])
