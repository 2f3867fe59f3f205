"""``az resource``: any resource by its id."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from localcloud.az.errors import AzError, NotCarriedOut, NotThere
from localcloud.az.requests import Cloud, Refused

_SENT = ("location", "tags", "identity", "kind", "sku", "properties")


def show(cloud: Cloud, options: Namespace) -> Any:
    return _one(cloud, options)


def update(cloud: Cloud, options: Namespace) -> Any:
    if options.properties_to_add or options.properties_to_remove:
        raise NotCarriedOut("az resource update with --add or --remove")
    resource = _one(cloud, options)
    for expression in options.properties_to_set or ():
        _set(resource, expression, as_text=options.force_string)
    body = {name: resource[name] for name in _SENT if name in resource}
    return cloud.arm("PUT", resource["id"], _version(options), body)


def _one(cloud: Cloud, options: Namespace) -> Any:
    if not options.resource_ids or len(options.resource_ids) != 1:
        raise NotCarriedOut("az resource without one --ids")
    try:
        return cloud.arm("GET", options.resource_ids[0], _version(options))
    except Refused as refusal:
        if refusal.status == 404:
            raise NotThere(str(refusal)) from None
        raise


def _version(options: Namespace) -> str:
    if not options.api_version:
        raise NotCarriedOut("az resource without --api-version")
    return str(options.api_version)


def _set(resource: dict[str, Any], expression: str, *, as_text: bool) -> None:
    """``a.b=value``, where the value is JSON if it can be."""
    path, separator, text = expression.partition("=")
    if not separator or not path:
        raise AzError(f"Empty key in --set. Correct syntax: --set KEY=VALUE [KEY=VALUE ...], not '{expression}'")
    value: Any = text
    if not as_text:
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    *parents, last = path.split(".")
    place = resource
    for name in parents:
        if not isinstance(place.get(name), dict):
            raise AzError(f"Couldn't find '{name}' in '{path}'. Available options: {', '.join(place)}")
        place = place[name]
    place[last] = value
