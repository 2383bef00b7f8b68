"""Drives a robot to the middle of its action space for some seconds: the smallest complete policy.

python3 drive.py [--address tcp://127.0.0.1:5600] [--seconds 5] [--key laptop.key --robot-key PUBLIC_KEY]
"""

import argparse
import time

import numpy as np
from armature_bridge import Keys, RobotClient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="tcp://127.0.0.1:5600")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--key", help="own key file")
    parser.add_argument("--robot-key", help="public key of the robot, or its key file")
    arguments = parser.parse_args()
    keys = None if arguments.key is None else Keys.read(arguments.key, arguments.robot_key)
    with RobotClient(arguments.address, name="drive.py", keys=keys) as robot:
        action = robot.schema["action"]
        middle = (np.array(action["low"]) + np.array(action["high"])) / 2
        robot.lease()
        robot.arm()
        robot.reset()
        robot.start()
        applied, end = 0, time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            observation = robot.observe()
            if observation is None:
                print("no observation for two periods: stopping")
                break
            applied += observation.get("applied") is not None
            robot.act(middle, observation)
        print(f"{applied} actions applied, {robot.drops} dropped, clock known to {robot.clock_error_us:.0f} us, {robot.bridge_state}")


if __name__ == "__main__":
    main()
