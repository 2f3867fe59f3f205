"""The state of the local cloud: plain data that tests read and change.

Faults are put in here, as an operator would make them (a policy forgotten, a firewall closed, a key rotated);
what a run then says of them follows from what the services answer.
"""

from localcloud.world.access import AccessControl, Principal, RoleAssignment, RoleDefinition
from localcloud.world.activity import ActivityEntry
from localcloud.world.behaviour import Behaviour, MessageStyle
from localcloud.world.network import ADDRESSES, NetworkRules
from localcloud.world.pipelines import AccessMode, Direction, IdentityKind, Pipeline, Run
from localcloud.world.registries import GIB, Layer, Manifest, Registry, foreign_layer, image, index, layer
from localcloud.world.storage import BlobAppearance, StorageAccount
from localcloud.world.vaults import AccessPolicy, SecretVersion, Vault
from localcloud.world.world import World

__all__ = [
    "ADDRESSES",
    "GIB",
    "AccessControl",
    "AccessMode",
    "AccessPolicy",
    "ActivityEntry",
    "Behaviour",
    "BlobAppearance",
    "Direction",
    "IdentityKind",
    "Layer",
    "Manifest",
    "MessageStyle",
    "NetworkRules",
    "Pipeline",
    "Principal",
    "Registry",
    "RoleAssignment",
    "RoleDefinition",
    "Run",
    "SecretVersion",
    "StorageAccount",
    "Vault",
    "World",
    "foreign_layer",
    "image",
    "index",
    "layer",
]
