"""Azure Resource Manager, as much of it as ACR Transfer and its monitor need."""

from localcloud.arm.service import ArmService

__all__ = ["ArmService"]
