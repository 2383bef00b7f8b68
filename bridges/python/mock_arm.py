"""A two-joint arm that follows position targets with a first-order lag: a stand-in for your robot's driver.

armature robot mock_arm.py [--limits arm.json]
"""

from __future__ import annotations

import threading
from typing import Any, Mapping, Optional

import numpy as np
from armature_driver import Reading, robot_spec, run, vector

NAMES, LOW, HIGH = ["shoulder_rad", "elbow_rad"], [-1.5, -2.0], [1.5, 2.0]


class MockArm:
    spec = robot_spec(
        "mock-arm",
        control_hz=50.0,
        action_kind="position",
        action=vector(NAMES, LOW, HIGH),
        proprio=vector(NAMES, LOW, HIGH),
        cameras={"top": (8, 8)},
        is_simulated=True,
        max_episode_steps=100,
    )

    def __init__(self) -> None:
        self.angles: np.ndarray[Any, Any] = np.zeros(2, dtype=np.float32)
        self.steps = 0

    def reset(self, seed: Optional[int], options: Mapping[str, Any], stopped: threading.Event) -> Reading:
        if stopped.wait(options.get("homing_s", 0)):
            raise RuntimeError("homing was stopped")
        self.angles = np.random.default_rng(None if seed is None else seed % 2**32).uniform(-0.5, 0.5, 2).astype(np.float32)
        self.steps = 0
        return self.read()

    def read(self) -> Reading:
        image = np.zeros((8, 8, 3), dtype=np.uint8)
        image[0, 0] = [255, 0, 0]  # one red pixel
        distance = float(np.abs(self.angles).sum())
        return Reading(self.angles, {"top": image}, reward=-distance, truncated=self.steps >= 100, info={"distance_rad": distance})

    def apply(self, action: np.ndarray[Any, Any]) -> None:
        self.angles += (action - self.angles) * np.float32(0.3)
        self.steps += 1

    def stop(self, category: str) -> None:
        print(f"stop {category}")  # position controlled: it stays where it is


if __name__ == "__main__":
    run(MockArm())
