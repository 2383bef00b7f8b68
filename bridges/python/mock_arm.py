"""A two-joint arm that follows position targets with a first-order lag, behind the bridge: a stand-in for your robot's driver.

python3 mock_arm.py [--address tcp://127.0.0.1:5600] [--key robot.key] [--lockstep]
"""

from __future__ import annotations

import argparse
from typing import Any, Mapping, Optional

import numpy as np
from armature_bridge import Keys, Reading, RobotServer, robot_schema, vector_schema

NAMES, LOW, HIGH = ["shoulder_rad", "elbow_rad"], [-1.5, -2.0], [1.5, 2.0]


class MockArm:
    schema = robot_schema(
        "mock-arm",
        control_hz=50.0,
        action_kind="position",
        action=vector_schema(NAMES, LOW, HIGH),
        proprio=vector_schema(NAMES, LOW, HIGH),
        cameras={"top": (8, 8)},
        is_simulated=True,
    )

    def __init__(self) -> None:
        self.angles: np.ndarray[Any, Any] = np.zeros(2, dtype=np.float32)
        self.steps = 0

    def reset(self, seed: Optional[int], options: Mapping[str, Any]) -> Reading:
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
        pass  # position controlled: it stays where it is


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="tcp://127.0.0.1:5600")
    parser.add_argument("--key", help="key file; then only authorized keys connect")
    parser.add_argument("--authorized", default="authorized_keys.json", help="list of them")
    parser.add_argument("--insecure-lan", action="store_true", help="let others than this machine move it without keys")
    parser.add_argument("--lockstep", action="store_true")
    arguments = parser.parse_args()
    server = RobotServer(
        MockArm(),
        arguments.address,
        max_step=[0.2, 0.2],
        mode="lockstep" if arguments.lockstep else "realtime",
        keys=None if arguments.key is None else Keys.read(arguments.key),
        authorized_keys=arguments.authorized,
        insecure_lan=arguments.insecure_lan,
    )
    print(server.address, flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
