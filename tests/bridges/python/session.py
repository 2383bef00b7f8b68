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
        robot.arm()
        first = robot.reset(seed=0)
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


def garbage(address, keys):
    """Messages of every kind with fields and bytes changed at random, from one who has said hello and holds the lease; then a good client."""
    random = np.random.default_rng(5)
    robot = bridge.RobotClient(address)
    robot.lease()
    robot.arm()
    robot.start()
    odd = [None, True, -1, 2**63, 1e300, float("nan"), float("inf"), "x" * 300, b"", [], [[1]], {}, {"a": None}, np.zeros((2, 3)), np.zeros(0, np.float32)]
    bodies = [
        {"kind": "hello", "name": "g", "software": "g", "role": "controller", "protocols": ["1.0"], "array_codecs": ["openpi"]},
        {"kind": "lease_request", "ttl_ms": 1000, "reason": "", "preempt": False},
        {"kind": "command", "command": "arm", "category": "hold", "mode": "realtime", "seed": 1, "options": {}},
        {"kind": "action", "observation_seq": 1, "due_us": 0, "ttl_us": 0, "action": np.zeros(2, np.float32)},
        {"kind": "chunk", "observation_seq": 1, "start_us": 0, "step_us": 1, "ttl_us": 0, "actions": np.zeros((3, 2), np.float32)},
        {"kind": "ping", "t1_us": 1},
        {"kind": "bye", "reason": "no"},
    ]
    sockets = [robot._control, robot._action]
    for socket in sockets:
        socket.sndtimeo = 5000
    for i in range(3000):
        header = {"session": robot._session, "seq": 10_000 + i, "time_us": 1, "epoch": robot.epoch, "lease": robot._lease}
        message = {**header, **bodies[i % len(bodies)]}
        if message["kind"] == "bye":
            message["session"] = "another"  # else nobody would read the rest
        for key in random.choice(list(message), 2):
            if key != "kind":
                message[key] = odd[random.integers(len(odd))]
        data = bytearray(bridge.encode_message(message))
        if i % 3 == 0:
            data[random.integers(4, len(data))] = random.integers(256)
        sockets[random.integers(2)].send(data)
        while robot._control.poll(0):
            robot._control.recv()
        if i % 200 == 0:
            time.sleep(0.02)
    robot._context.destroy(linger=0)
    operator = bridge.RobotClient(address, role="operator", timeout_s=10)
    end = time.monotonic() + 5
    while operator.bridge_state != "SAFE_STOP" and time.monotonic() < end:
        operator.service()
        time.sleep(0.01)
    state = operator.bridge_state
    while time.monotonic() < end + 10:  # what was sent before may still be read, and ask for the lease
        try:
            if operator.bridge_state == "SAFE_STOP":
                operator.clear()
            operator.lease()
            operator.release()
            break
        except bridge.BridgeError:
            time.sleep(0.1)
            operator.service()
    operator.close()
    return {"after": state, "drive": drive(address, keys)["applied"]}


if __name__ == "__main__":
    command, address, *rest = sys.argv[1:]
    keys = bridge.Keys(*json.loads(rest[0])) if rest else None
    print(json.dumps(globals()[command](address, keys)))
