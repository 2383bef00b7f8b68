"""A Python client for the live tests: `session.py COMMAND ADDRESS [KEYS]`, prints one line of JSON."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "bridges", "python"))

import numpy as np

import armature_bridge as bridge


def drive(address, keys):
    """Half a second in real time; what the robot says it executed, and the states it went through."""
    with bridge.RobotClient(address, keys=keys) as robot:
        robot.lease()
        while len(robot._clock) < 8:
            robot.service()
            time.sleep(0.02)
        observation = robot.reset(seed=3)
        robot.arm()
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
            observation = robot.reset(seed=episode)
            if not robot.armed:
                robot.arm()
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


def refused(address, keys):
    """The code by which this client is not let in."""
    try:
        bridge.RobotClient(address, keys=keys, timeout_s=1.0).close()
    except bridge.BridgeError as error:
        return {"code": error.code}
    return {"code": None}


def rules(address, keys):
    """What the robot side must not let happen; the state after each attempt."""
    result = {}
    operator = bridge.RobotClient(address, role="operator")
    robot = bridge.RobotClient(address)
    other = bridge.RobotClient(address)

    def code_of(call):
        try:
            call()
        except bridge.BridgeError as error:
            return error.code
        return "done"

    def state(wanted):
        """The state, as soon as it is `wanted` or two seconds have passed."""
        end = time.monotonic() + 2
        while operator.bridge_state != wanted and time.monotonic() < end:
            operator.service()
            time.sleep(0.01)
        return operator.bridge_state

    def begin():
        robot.lease()
        first = robot.reset(seed=0)
        robot.arm()
        robot.start()
        return first

    result["start without lease"] = code_of(robot.start)
    robot.lease()
    result["start before arm"] = code_of(robot.start)
    result["second lease"] = code_of(other.lease)
    result["observer"] = code_of(bridge.RobotClient(address, role="observer").lease)
    result["other digest"] = code_of(lambda: bridge.RobotClient(address, action_digest="0"))

    old = begin()
    robot.act([0.1, 0.1], old)
    robot.stop()
    robot.arm()
    robot.start()
    robot.act([1.0, 1.0], old)  # answers what was before the stop
    time.sleep(0.1)
    robot.service()
    result["old epoch"] = robot.refusals[-1]["code"]
    for value in ([np.nan, 0.0], [np.inf, 0.0], [0.0], [0.0, 0.0, 0.0], [np.nan, np.nan]):
        observation = robot.observe(timeout_s=1.0)
        robot.act(value, observation)
    result["five bad ones"] = state("SAFE_STOP")
    result["lease while latched"] = code_of(robot.lease)
    result["clear by controller"] = code_of(robot.clear)
    operator.clear()
    result["cleared"] = state("IDLE")

    observation = begin()
    applied, start = [], observation["proprio"]
    while not applied or applied[-1]["action"].tolist() != [1.5, -2.0]:
        robot.act([5.0, -5.0], observation)
        observation = robot.observe(timeout_s=1.0)
        if observation.get("applied") is not None:
            applied.append(observation["applied"])
    result["first step"] = np.round(np.abs(applied[0]["action"] - start).astype(float), 4).tolist()
    result["clamped"] = sorted({a["clamped"] for a in applied})
    result["silence"] = state("HOLD")
    result["longer silence"] = state("SAFE_STOP")
    operator.clear()
    observation = begin()
    robot._context.destroy(linger=0)  # as if it were killed
    result["killed"] = state("SAFE_STOP")
    for client in (operator, other):
        client.close()
    return result


if __name__ == "__main__":
    command, address, *rest = sys.argv[1:]
    keys = bridge.Keys(*json.loads(rest[0])) if rest else None
    print(json.dumps(globals()[command](address, keys)))
