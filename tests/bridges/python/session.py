"""A Python client for the live tests: `session.py COMMAND ADDRESS [KEYS]`, prints one line of JSON."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "bridges", "python"))


import armature_bridge as bridge


def drive(address, keys):
    """Half a second in real time; what the robot says it executed, and the states it went through."""
    with bridge.RobotClient(address, keys=keys) as robot:
        robot.lease()
        while len(robot._clock) < 8:
            robot.service()
            time.sleep(0.02)
        robot.arm()
        observation = robot.reset(seed=3)
        robot.start()
        applied, states, end = [], [robot.bridge_state], time.monotonic() + 0.5
        while time.monotonic() < end or len(applied) < 3:
            observation = robot.observe(timeout_s=1.0) or observation
            if observation.get("applied") is not None:
                applied.append(observation["applied"]["action"].tolist())
            robot.act([0.25, -0.5], observation)
        robot.stop()
        states.append(robot.bridge_state)
        ahead = abs(robot.robot_time_us() - time.monotonic_ns() // 1000) <= robot.clock_error_us + 1000
    return {"applied": applied[-1], "states": states, "same_clock": ahead, "refusals": [r["code"] for r in robot.refusals]}


def lockstep(address, keys):
    """Two episodes of ten steps: everything that came."""
    seen = []
    with bridge.RobotClient(address, keys=keys) as robot:
        robot.lease()
        for episode in range(2):
            if not robot.armed:
                robot.arm()
            observation = robot.reset(seed=episode)
            robot.start()
            for step in range(10):
                observation = robot.step([0.1 * step, -0.05 * step], observation)
                seen.append([observation["reward"], *observation["proprio"].tolist()])
        try:
            robot.step([0.0, 0.0], {**observation, "observation_seq": observation["observation_seq"] - 1})
            refused = None
        except bridge.BridgeError as error:
            refused = error.code
    return {"seen": seen, "refused": refused}


def env(address, keys):
    """Gymnasium's own checker, and one episode."""
    from gymnasium.utils.env_checker import check_env

    made = bridge.ArmatureEnv(address, keys=keys)
    check_env(made, skip_render_check=True)
    first, _ = made.reset(seed=1)
    steps, truncated = 0, False
    while not truncated and steps < 1000:
        _, _, _, truncated, _ = made.step(made.action_space.sample())
        steps += 1
    made.close()
    return {"keys": sorted(first), "steps": steps}


def jpeg(address, keys):
    """What the first pixel of the camera is, and how its images are sent."""
    with bridge.RobotClient(address, keys=keys, image_codec="jpeg") as robot:
        observation = robot.observe(timeout_s=10.0)
        image = observation["images"]["front"]
    return {"codec": robot.welcome["image_codec"], "shape": list(image["pixels"].shape), "first": image["pixels"][0, 0].tolist()}


def refused(address, keys):
    """The code by which this client is not let in."""
    try:
        bridge.RobotClient(address, keys=keys, timeout_s=1.0).close()
    except bridge.BridgeError as error:
        return {"code": error.code}
    return {"code": None}


if __name__ == "__main__":
    command, address, *rest = sys.argv[1:]
    keys = bridge.Keys(*json.loads(rest[0])) if rest else None
    print(json.dumps(globals()[command](address, keys)))
