"""What a run shows of itself while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localcloud.world import Run
from localcloud.world.clock import now, seven_digits


@dataclass(slots=True)
class Progress:
    run: Run

    @property
    def response(self) -> dict[str, Any]:
        return self.run.response

    def begin(self) -> None:
        self.run.response |= {
            "status": "Running",
            "progress": {"percentage": "0"},
            "startTime": seven_digits(now()),
        }

    def reached(self, percentage: int) -> None:
        self.run.response["progress"] = {"percentage": str(percentage)}

    def end(self, status: str, message: str | None = None) -> None:
        self.run.response["status"] = status
        self.run.response["finishTime"] = seven_digits(now())
        if status == "Succeeded":
            self.reached(100)
        if message is not None:
            self.run.response["pipelineRunErrorMessage"] = message
        self.run.provisioning_state = status
        self.run.modified = now()
