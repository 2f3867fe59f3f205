"""ACR Transfer itself: runs, and the source trigger that starts them."""

from localcloud.transfer.engine import TransferEngine
from localcloud.transfer.trigger import SourceTrigger

__all__ = ["SourceTrigger", "TransferEngine"]
