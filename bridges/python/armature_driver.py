"""Put a robot that Python controls behind the bridge: this process is the driver, the server with all limits and stops is `armature robot`.

A driver is a class with `spec`, `reset`, `read`, `apply` and `stop`, and `run(driver)` at the end of its file, as in `mock_arm.py`:

    armature robot mock_arm.py --limits arm.json

Needs msgpack and numpy. The two processes talk over standard input and output, so `print` of a driver goes to standard error. `stop` is called from
a thread of its own, at any time, also while `reset` or `apply` is under way; `reset` is given an event that is set just before, and must then end
its motion and return or raise.
"""

from __future__ import annotations

import os
import struct
import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

import msgpack  # type: ignore[import-untyped]
import numpy as np

Message = Dict[str, Any]
Array = np.ndarray[Any, Any]


class Reading(NamedTuple):
    """What a robot shows at one moment; `age_us`: microseconds before now that it was captured."""

    proprio: Array
    images: Mapping[str, Array] = {}
    state: Sequence[float] = ()
    age_us: int = 0
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, float] = {}


class Driver(Protocol):
    """A robot; what its methods mean is in `src/core/robot.ts`. Whatever they raise stops the robot for good."""

    spec: Message

    def reset(self, seed: Optional[int], options: Mapping[str, Any], stopped: threading.Event) -> Reading: ...
    def read(self) -> Reading: ...
    def apply(self, action: Array) -> None: ...
    def stop(self, category: str) -> None: ...


def vector(names: Sequence[str], low: Sequence[float], high: Sequence[float]) -> Message:
    """A vector of a robot: names with units, and bounds, one for each element."""
    return {"dtype": "float32", "shape": [len(names)], "names": list(names), "low": [float(x) for x in low], "high": [float(x) for x in high]}


def robot_spec(
    name: str,
    control_hz: float,
    action_kind: str,
    action: Message,
    proprio: Message,
    cameras: Mapping[str, Tuple[int, int]] = {},
    serial: str = "",
    is_simulated: bool = False,
    max_episode_steps: int = 0,
    state: Optional[Message] = None,
) -> Message:
    """What a robot is; `action_kind` is `position` or `velocity`, `cameras` are heights and widths by name."""
    images = {camera: {"dtype": "uint8", "shape": [*size, 3], "colour": "rgb8", "encoding": "raw"} for camera, size in cameras.items()}
    return {
        "name": name, "serial": serial, "control_hz": float(control_hz), "max_episode_steps": max_episode_steps, "is_simulated": is_simulated,
        "action_kind": action_kind, "action": action, "proprio": proprio, "state": state or vector([], [], []), "images": images,
    }  # fmt: skip


def run(driver: Driver) -> None:
    """Serves the process that started this one, until it is gone; then the driver is told to stop."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the driver prints is not for the other process
    lock, stopped = threading.Lock(), threading.Event()

    def answer(message: Message) -> None:
        body = msgpack.packb(message, default=_to_wire, use_bin_type=True)
        with lock:
            sink.write(struct.pack("<I", len(body)) + body)
            sink.flush()

    def perform(message: Message) -> None:
        try:
            answer({"id": message["id"], **_call(driver, message, stopped)})
        except Exception as error:  # whatever it is: the other side has to know, and stops the robot
            answer({"id": message["id"], "error": f"{type(error).__name__}: {error}"})

    calls: List[threading.Thread] = []
    answer({"spec": driver.spec})
    while len(head := source.read(4)) == 4:
        message = msgpack.unpackb(source.read(struct.unpack("<I", head)[0]), raw=False)
        if message["call"] == "stop":
            stopped.set()
        elif message["call"] == "reset":
            stopped.clear()
        calls = [call for call in calls if call.is_alive()]
        calls.append(threading.Thread(target=perform, args=(message,), daemon=True))
        calls[-1].start()
    stopped.set()
    driver.stop("safe")


def _call(driver: Driver, message: Message, stopped: threading.Event) -> Message:
    call = message["call"]
    if call == "stop":
        driver.stop(message["category"])
    elif call == "apply":
        driver.apply(np.frombuffer(message["action"], dtype="<f4").copy())
    else:
        reading = driver.read() if call == "read" else driver.reset(message.get("seed"), message.get("options") or {}, stopped)
        return {"reading": {**reading._asdict(), "proprio": np.asarray(reading.proprio, "<f4"), "state": np.asarray(reading.state, "<f4")}}
    return {}


def _to_wire(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} cannot cross to the server")
    return {"__ndarray__": True, "data": np.ascontiguousarray(value).tobytes(), "dtype": value.dtype.str, "shape": list(value.shape)}
