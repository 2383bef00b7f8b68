"""Drive a robot across the Armature bridge from Python, or put a robot that Python controls behind it.

Needs pyzmq, msgpack and numpy; `ArmatureEnv` is there where gymnasium can be imported. The wire protocol is described in
`bridges/protocol/README.md`; a message is a plain dict here, with the names that it has on the wire.

    with RobotClient("tcp://127.0.0.1:5600") as robot:
        robot.lease()
        observation = robot.reset(seed=7)
        robot.arm()
        robot.start()
        while observation is not None and not observation["terminated"]:
            robot.act(policy(observation["proprio"]), observation)
            observation = robot.observe()
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

import msgpack
import numpy as np
import zmq
import zmq.utils.z85

Message = Dict[str, Any]

KIND_LETTERS = {
    "hello": b"h", "welcome": b"w", "lease_request": b"q", "lease": b"l", "command": b"c", "ack": b"k", "error": b"x",
    "action": b"a", "chunk": b"t", "observation": b"o", "event": b"e", "metrics": b"m", "ping": b"p", "pong": b"r", "bye": b"b",
}  # fmt: skip
_KINDS = {letter: kind for kind, letter in KIND_LETTERS.items()}
_DTYPES = frozenset(["|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8", "|b1"])
_MAX_BYTES = 64 * 1024 * 1024
_MAX_COMMAND_BYTES = 256 * 1024
_VERSION = "1.0"
_SOFTWARE = "armature_bridge.py 1.0"


class BridgeError(Exception):
    """The peer refused something, or sent something that is no message; `code` is one of the protocol's error codes."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Keys(NamedTuple):
    """CURVE keys of one side in Z85 text, as `armature keygen` writes them, and for a client the robot's public key."""

    public: str
    secret: str
    robot: Optional[str] = None


# --- messages ---------------------------------------------------------------------------------------------------------


def encode_message(message: Mapping[str, Any]) -> bytes:
    """The bytes of one message part. Arrays may be of any layout and byte order; element types are those of the protocol."""
    return b"rb1" + KIND_LETTERS[message["kind"]] + msgpack.packb(message, default=_to_wire, use_bin_type=True)


def decode_message(data: bytes, limit: int = _MAX_BYTES) -> Message:
    """Reads one message part; arrays are fresh and writable. Raises BridgeError for anything that is no well-formed message."""
    if data[:2] != b"rb":
        raise BridgeError("bad_magic", "not a message of this protocol")
    if data[:3] != b"rb1":
        raise BridgeError("version_unsupported", "another version of the protocol")
    kind = _KINDS.get(data[3:4])
    if kind is None:
        raise BridgeError("unknown_kind", "a kind of message that this version does not know")
    if len(data) > limit:
        raise BridgeError("too_large", f"{kind} of {len(data)} bytes")
    try:
        message = msgpack.unpackb(data[4:], object_pairs_hook=_from_wire, ext_hook=_no_extension, raw=False)
    except BridgeError:
        raise
    except Exception as error:  # msgpack raises a dozen types for bytes that are not msgpack
        raise BridgeError("decode_failed", f"not msgpack: {type(error).__name__}") from None
    if not isinstance(message, dict) or message.get("kind") != kind:
        raise BridgeError("bad_header", "the kind does not agree with the prefix")
    for key in ("seq", "time_us", "epoch"):
        if not _is_count(message.get(key)):
            raise BridgeError("bad_header", f"the header has no {key}")
    if not isinstance(message.get("session"), str):
        raise BridgeError("bad_header", "the header has no session")
    return message


def _to_wire(value: Any) -> Any:
    if isinstance(value, np.generic) and not isinstance(value, (np.void, np.complexfloating)):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} cannot cross the bridge")
    dtype = value.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES:
        raise TypeError(f"arrays of {value.dtype} cannot cross the bridge")
    data = value.astype(dtype, copy=False).tobytes()  # row-major, whatever the layout
    return {b"__ndarray__": True, b"data": data, b"dtype": dtype.str, b"shape": list(value.shape)}


def _from_wire(pairs: Sequence[Tuple[Any, Any]]) -> Any:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise BridgeError("decode_failed", "a key comes twice")
    if entries.get(b"__ndarray__") is not True:
        return entries
    code, shape, data = entries.get(b"dtype"), entries.get(b"shape"), entries.get(b"data")
    if code not in _DTYPES:
        raise BridgeError("bad_dtype", "an element type that is not allowed")
    if not isinstance(shape, list) or len(shape) > 8 or not all(_is_count(n) for n in shape):
        raise BridgeError("bad_shape", "an array without a shape")
    size = 1
    for n in shape:
        size *= n
    if not isinstance(data, bytes) or len(data) != size * np.dtype(code).itemsize:
        raise BridgeError("bad_shape", "an array whose data does not fill its shape")
    return np.ndarray(tuple(shape), dtype=code, buffer=data).copy()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _no_extension(code: int, data: bytes) -> Any:
    raise BridgeError("decode_failed", f"extension type {code} is not allowed")


# --- digests ----------------------------------------------------------------------------------------------------------


def observation_digest(schema: Mapping[str, Any]) -> str:
    """What a policy must agree on with the robot about observations; equal to the digest of the same name in TypeScript."""
    proprio = {key: schema["proprio"][key] for key in ("dtype", "shape", "names")}
    return _digest({"images": schema["images"], "proprio": proprio})


def action_digest(schema: Mapping[str, Any]) -> str:
    """What a policy must agree on with the robot about actions."""
    action = {key: schema["action"][key] for key in ("dtype", "shape", "names", "low", "high")}
    return _digest({**action, "kind": schema["action_kind"], "hz": schema["control_hz"]})


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """RFC 8785 for what schemas hold; numbers that JSON lacks are the strings Infinity, -Infinity and NaN."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{canonical_json(key)}:{canonical_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, float):
        return _ecmascript_number(value)
    return json.dumps(value, ensure_ascii=False)


def _ecmascript_number(value: float) -> str:
    """As `Number::toString` of ECMA-262 writes it: the same shortest digits as Python, other rules for the exponent."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}[str(value)]
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    all_digits = whole + fraction
    digits = all_digits.lstrip("0")
    point -= len(all_digits) - len(digits)
    digits = digits.rstrip("0")
    sign, count = "-" if value < 0 else "", len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + power


# --- keys -------------------------------------------------------------------------------------------------------------


def prove_key(secret: str, public: str, routing_id: bytes) -> str:
    """What `hello` proves its key by: HMAC-SHA256 of the routing id, with what X25519 makes of one's own secret and the other's public key."""
    shared = _x25519(zmq.utils.z85.decode(secret), zmq.utils.z85.decode(public))
    return hmac.new(shared, b"rb1 hello" + routing_id, hashlib.sha256).hexdigest()


def _x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748, section 5. Once per connection; not constant in time, so not for a machine that an attacker can time."""
    prime = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ((1 << 255) - 8) & ((1 << 255) - 1) | (1 << 254)
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = (k >> t) & 1
        if swapped ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % prime, b * b % prime, d * a % prime, c * b % prime
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % prime, x1 * (da - cb) ** 2 % prime
        x2, z2 = aa * bb % prime, e * (aa + 121665 * e) % prime
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, prime - 2, prime) % prime).to_bytes(32, "little")


# --- client -----------------------------------------------------------------------------------------------------------


class RobotClient:
    """One connection to a robot. Everything happens in the calling thread: `observe`, `act` and `service` also send the pings that keep
    the lease, so a loop that hangs loses it. Leaving the `with` block stops the robot."""

    def __init__(
        self,
        address: str,
        *,
        name: str = "python",
        role: str = "controller",
        keys: Optional[Keys] = None,
        observation_digest: Optional[str] = None,
        action_digest: Optional[str] = None,
        timeout_s: float = 3.0,
    ) -> None:
        """Connects, and raises BridgeError if the robot refuses or does not answer for `timeout_s`."""
        self.timeout_s = timeout_s
        self.refusals: Deque[Message] = deque(maxlen=100)  # errors that answer no request, newest last
        self.drops = 0  # actions that could not be sent at once
        self.epoch = 0
        self.bridge_state = "IDLE"
        self.armed = False
        self.welcome: Message = {}
        self._session = ""
        self._lease: Optional[str] = None
        self._keys = keys
        self._seq = 0
        self._clock: Deque[Tuple[int, int]] = deque(maxlen=64)  # (round trip, offset), microseconds
        self._next_ping = 0.0
        self._last_seen = 0
        self._routing_id = os.urandom(16)
        self._context = zmq.Context()
        try:
            self._control = self._connect(zmq.DEALER, address, {zmq.IMMEDIATE: 1, zmq.ROUTING_ID: self._routing_id})
            self._hello(name, role, observation_digest, action_digest)
            endpoints = {key: _seen_from(address, bound) for key, bound in self.welcome["endpoints"].items()}
            options = {zmq.IMMEDIATE: 1, zmq.SNDHWM: 2, zmq.ROUTING_ID: self._routing_id}
            self._action = self._connect(zmq.DEALER, endpoints["action"], options)
            subscription = {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b"rb1o"}
            self._observation = self._connect(zmq.SUB, endpoints["observation"], subscription)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    @property
    def schema(self) -> Message:
        """What the robot is: names, shapes and bounds of its vectors, cameras, rate."""
        return self.welcome["schema"]

    @property
    def limits(self) -> Any:
        """The limits profile that the robot enforces."""
        return self.welcome["limits"]

    def __enter__(self) -> "RobotClient":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # requests, each answered before they return

    def lease(self, ttl_ms: int = 2000, reason: str = "") -> None:
        """Asks to be the one who drives. Raises BridgeError `lease_denied` while another one does."""
        self._lease = self._request({"kind": "lease_request", "ttl_ms": ttl_ms, "reason": reason})["lease"]

    def arm(self) -> None:
        self._command("arm")

    def start(self) -> None:
        """From now on actions are executed and must keep coming; a robot in lock-step waits for each instead."""
        self._command("start", mode=self.welcome["mode"])

    def pause(self) -> None:
        self._command("pause")

    def stop(self, category: str = "hold") -> None:
        """Comes to rest; `safe` latches, and only an operator can clear it."""
        self._command("stop", category=category)

    def reset(self, seed: Optional[int] = None, options: Optional[Mapping[str, Any]] = None, timeout_s: float = 30.0) -> Message:
        """Brings the robot to where an episode can start and returns the first observation, with `goal` where the robot has one."""
        ack = self._command("reset", timeout_s, seed=seed, options=options)
        first = {**{key: ack[key] for key in _HEADER}, "goal": ack.get("goal"), **(ack.get("observation") or {})}
        self._last_seen = first.get("observation_seq", 0)
        return first

    def clear(self) -> None:
        """Ends a latched stop; operators only."""
        self._command("clear")

    def release(self) -> None:
        self._command("release")
        self._lease = None

    # the loop

    def observe(self, timeout_s: Optional[float] = None) -> Optional[Message]:
        """The newest observation that was not returned before, or None after `timeout_s` (default: two control periods): then stop, or go
        on asking. Never an old one again, never one of a robot that was restarted."""
        period = 2.0 / self.schema["control_hz"]
        deadline = time.monotonic() + (max(period, 0.1) if timeout_s is None else timeout_s)
        while True:
            self.service()
            left = deadline - time.monotonic()
            if self._observation.poll(max(0, min(50, int(left * 1000)))):
                message = decode_message(self._observation.recv())
                if message["session"] == self.welcome["run"] and message["observation_seq"] > self._last_seen and not message["stale"]:
                    self._follow(message)
                    self._last_seen = message["observation_seq"]
                    return message
            if left <= 0:
                return None

    def act(self, action: Any, observation: Message, due_us: int = 0, ttl_us: int = 0, policy: Optional[Message] = None) -> bool:
        """Sends the action that answers `observation`. False: there is no connection at the moment, and it was dropped. `due_us` is a time
        of the robot's clock (see `robot_time_us`), after which it counts for `ttl_us`; 0: at the next control tick, and no such limit."""
        self.service()
        return self._send_action(
            {"kind": "action", "due_us": due_us, "ttl_us": ttl_us, "action": np.asarray(action, dtype=np.float32)}, observation, policy
        )

    def step(self, action: Any, observation: Message, timeout_s: float = 30.0) -> Message:
        """Lock-step: sends the action and waits for the observation that follows. Raises BridgeError when the robot refuses the action."""
        deadline = time.monotonic() + timeout_s
        self.refusals.clear()
        while not self.act(action, observation):  # the connection may be a moment younger than the robot's answers
            if time.monotonic() > deadline:
                raise BridgeError("busy", "no connection to the action socket")
            time.sleep(0.005)
        sent = self._seq
        while time.monotonic() < deadline:
            following = self.observe(timeout_s=0.05)
            if following is not None:
                return following
            for refusal in self.refusals:
                if refusal.get("ref_seq") == sent:
                    raise BridgeError(refusal["code"], refusal["text"])
        raise BridgeError("busy", f"no observation for {timeout_s} s")

    def chunk(self, actions: Any, observation: Message, start_us: int, step_us: int, ttl_us: int = 0, policy: Optional[Message] = None) -> bool:
        """Sends actions [steps, size] of which step k is due at `start_us + k step_us` by the robot's clock."""
        self.service()
        body = {"kind": "chunk", "start_us": start_us, "step_us": step_us, "ttl_us": ttl_us}
        return self._send_action({**body, "actions": np.asarray(actions, dtype=np.float32)}, observation, policy)

    def robot_time_us(self) -> int:
        """Now by the robot's clock, wrong by at most `clock_error_us`. Raises BridgeError before eight pings were answered."""
        if len(self._clock) < 8:
            raise BridgeError("busy", "the clocks are not compared yet: call service() for two seconds")
        return _now_us() + min(self._clock)[1]

    @property
    def clock_error_us(self) -> float:
        return min(self._clock)[0] / 2 if self._clock else float("inf")

    def service(self) -> None:
        """Sends a ping every 200 ms and reads what the robot says on the control socket. Raises BridgeError when the robot says goodbye."""
        self._ping()
        while self._control.poll(0):
            self._take(decode_message(self._control.recv()))

    def close(self) -> None:
        """Stops the robot if this client drives it, says goodbye and closes. May be called twice."""
        if self._context.closed:
            return
        try:
            if self._lease is not None:
                self.stop()
                self.release()
            self._send({"kind": "bye", "reason": "closed"})
        except (BridgeError, zmq.ZMQError):
            pass  # the robot is gone or has stopped by itself
        finally:
            self._context.destroy(linger=200)

    # inside

    def _connect(self, kind: int, address: str, options: Mapping[int, Any]) -> zmq.Socket:
        socket = self._context.socket(kind)
        for option, value in {zmq.LINGER: 0, zmq.MAXMSGSIZE: _MAX_BYTES, **options}.items():
            socket.setsockopt(option, value)
        if kind == zmq.DEALER:
            socket.setsockopt(zmq.SNDTIMEO, 0)
        if self._keys is not None:
            if self._keys.robot is None:
                raise BridgeError("unauthorized", "the robot's public key is needed")
            socket.curve_serverkey = self._keys.robot.encode()
            socket.curve_publickey = self._keys.public.encode()
            socket.curve_secretkey = self._keys.secret.encode()
        socket.connect(address)
        return socket

    def _hello(self, name: str, role: str, observation_digest: Optional[str], action_digest: Optional[str]) -> None:
        hello = {"kind": "hello", "name": name, "software": _SOFTWARE, "role": role, "protocols": [_VERSION], "array_codecs": ["openpi"]}
        if self._keys is not None and self._keys.robot is not None:
            hello["public_key"] = self._keys.public
            hello["key_proof"] = prove_key(self._keys.secret, self._keys.robot, self._routing_id)
        hello["observation_digest"], hello["action_digest"] = observation_digest, action_digest
        self._control.setsockopt(zmq.SNDTIMEO, int(self.timeout_s * 1000))
        try:
            self.welcome = self._request(hello)
        except zmq.Again:
            raise BridgeError("unauthorized", "no connection: is the robot there, and do the keys fit?") from None
        self._control.setsockopt(zmq.SNDTIMEO, 0)
        self._session = self.welcome["session"]

    def _command(self, command: str, timeout_s: Optional[float] = None, **content: Any) -> Message:
        return self._request({"kind": "command", "command": command, "lease": self._lease, **content}, timeout_s)

    def _request(self, message: Message, timeout_s: Optional[float] = None) -> Message:
        seq = self._send(message)
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while time.monotonic() < deadline:
            if self._session:
                self._ping()
            if not self._control.poll(20):
                continue
            answer = decode_message(self._control.recv())
            if answer.get("ref_seq") == seq and answer["kind"] in ("welcome", "lease", "ack", "error"):
                self._follow(answer)
                if answer["kind"] == "error":
                    raise BridgeError(answer["code"], answer["text"])
                return answer
            self._take(answer)
        raise BridgeError("busy", f"no answer to {message.get('command', message['kind'])}")

    def _ping(self) -> None:
        if time.monotonic() < self._next_ping:
            return
        self._next_ping = time.monotonic() + 0.2
        try:
            self._send({"kind": "ping", "t1_us": _now_us(), "lease": self._lease})
        except zmq.Again:
            pass  # no connection: nothing must wait for it

    def _take(self, message: Message) -> None:
        """A message that answers no request."""
        if message["session"] != self._session:
            if message["kind"] == "error" and message["code"] == "unauthorized" and self._session:
                raise BridgeError("unauthorized", "the robot was restarted and knows nothing of before: connect again")
            return
        self._follow(message)
        if message["kind"] == "pong":
            t1, t2, t3, t4 = message["t1_us"], message["t2_us"], message["t3_us"], _now_us()
            if t4 - t1 >= t3 - t2 >= 0:
                self._clock.append((t4 - t1 - (t3 - t2), (t2 - t1 + t3 - t4) // 2))
        elif message["kind"] == "error":
            self.refusals.append(message)
        elif message["kind"] == "bye":
            self._lease = None
            raise BridgeError("busy", f"the robot said goodbye: {message['reason']}")

    def _follow(self, message: Message) -> None:
        self.epoch, self.bridge_state, self.armed = (message.get(key, old) for key, old in zip(_HEADER, (self.epoch, self.bridge_state, self.armed)))

    def _send_action(self, body: Message, observation: Message, policy: Optional[Message]) -> bool:
        # The epoch of the observation, not the newest: an answer to what was before a stop must not count after it.
        answered = {"lease": self._lease, "observation_seq": observation["observation_seq"], "epoch": observation["epoch"], "policy": policy}
        try:
            self._send({**body, **answered}, "action")
        except zmq.Again:
            self.drops += 1
            return False
        return True

    def _send(self, message: Message, socket: str = "control") -> int:
        self._seq += 1  # one count for both sockets, so that a refusal names one message
        header = {"session": self._session, "seq": self._seq, "time_us": _now_us(), "epoch": self.epoch}
        target = self._action if socket == "action" else self._control
        target.send(encode_message({**header, **message}))
        return self._seq


_HEADER = ("epoch", "bridge_state", "armed")


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _seen_from(control: str, bound: str) -> str:
    """The host by which the control socket was reached, the port that the robot bound."""
    if not (control.startswith("tcp://") and bound.startswith("tcp://")):
        return bound
    return f"{control.rpartition(':')[0]}:{bound.rpartition(':')[2]}"


# --- robot side -------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What a robot shows at one moment; `state`, `reward` and the ends of an episode are for simulated robots."""

    proprio: Any
    images: Mapping[str, Any] = {}
    state: Any = ()
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, float] = {}
    extras: Mapping[str, Any] = {}
    age_us: int = 0


class Robot(Protocol):
    """What `serve_robot` needs. It is called from one thread, and `apply` only with actions inside the limits."""

    schema: Message
    """See `robot_schema`."""

    def reset(self, seed: Optional[int], options: Mapping[str, Any]) -> Reading:
        """Brings it to where an episode can start."""

    def read(self) -> Reading:
        """The newest reading."""

    def apply(self, action: np.ndarray) -> None:
        """Executes `action` for one control period; returns at once on hardware, a simulated robot advances by it."""

    def stop(self, category: str) -> None:
        """Comes to rest: `hold` stays powered, `safe` is whatever is safest. Must be safe to call again and again."""


def vector_schema(names: Sequence[str], low: Sequence[float], high: Sequence[float]) -> Message:
    """Of a float32 vector: what each element is with its unit, e.g. `elbow_rad`, and its bounds."""
    bounds = {"low": [float(x) for x in low], "high": [float(x) for x in high]}
    return {"dtype": "float32", "shape": [len(names)], "names": list(names), **bounds}


def robot_schema(
    name: str,
    *,
    control_hz: float,
    action_kind: str,
    action: Message,
    proprio: Message,
    state: Optional[Message] = None,
    cameras: Mapping[str, Tuple[int, int]] = {},
    serial: str = "",
    max_episode_steps: int = 0,
    is_simulated: bool = False,
) -> Message:
    """What a robot is. `action_kind`: `position` or `velocity`; `cameras`: (height, width) by name, red, green, blue bytes."""
    camera = {"dtype": "uint8", "colour": "rgb8", "encoding": "raw"}
    return {
        "name": name,
        "serial": serial,
        "control_hz": control_hz,
        "max_episode_steps": max_episode_steps,
        "is_simulated": is_simulated,
        "action_kind": action_kind,
        "action": action,
        "proprio": proprio,
        "state": vector_schema([], [], []) if state is None else state,
        "images": {key: {**camera, "shape": [height, width, 3]} for key, (height, width) in cameras.items()},
    }


class _Step(NamedTuple):
    due_us: int
    until_us: int
    action: np.ndarray
    seq: int
    observation_seq: int


class RobotServer:
    """A robot side in one thread: one lease, epochs, watchdogs, a limit on range and on change per period, latched stop. It is the small
    sibling of the TypeScript robot side: no profile of accelerations, no keys, and therefore only on loopback; a robot that others reach over
    a network belongs behind `armature robot`.

    `max_step`: largest change of each element of the action from one control period to the next; None: any.
    """

    SOFT_US, HARD_US, HEARTBEAT_US, MAX_LEAD_US, MAX_REJECTS, MAX_PEERS = 100_000, 500_000, 1_000_000, 2_000_000, 5, 32

    def __init__(
        self, robot: Robot, address: str = "tcp://127.0.0.1:5600", max_step: Optional[Sequence[float]] = None, mode: str = "realtime"
    ) -> None:
        """Binds at `address` and, for the other three sockets, at ports that the system chooses. In the mode `lockstep` the robot, a
        simulated one, waits for the action that answers its newest observation."""
        if mode == "lockstep" and not robot.schema["is_simulated"]:
            raise ValueError("only a simulated robot can run in lock-step: time does not wait for a policy")
        host = address.rpartition(":")[0]
        if host not in ("tcp://127.0.0.1", "tcp://localhost"):
            raise ValueError(f"{address} can be reached by others, and this robot side has no keys; use tcp://127.0.0.1")
        self.robot, self.schema = robot, robot.schema
        self.max_step = None if max_step is None else np.asarray(max_step, dtype=np.float32)
        self.low, self.high = (np.asarray(self.schema["action"][key], dtype=np.float32) for key in ("low", "high"))
        self.period_us = int(1e6 / self.schema["control_hz"])
        self.run_id = os.urandom(16).hex()
        self.bridge_state, self.armed, self.mode = "IDLE", False, mode
        self.epoch = 1 + int.from_bytes(os.urandom(3), "big")  # another at every start
        self.counters = dict.fromkeys(("received", "applied", "late", "too_early", "superseded", "rejected"), 0)
        self._lease: Optional[Message] = None  # token, peer, ttl_us, seen_us
        self._peers: Dict[bytes, Message] = {}
        self._seq = {"control": 0, "observation": 0, "telemetry": 0}
        self._observation_seq = self._last_action_seq = self._rejects = self._action_us = self._sent_us = 0
        self._queue: List[_Step] = []
        self._target: Optional[np.ndarray] = None
        self._applied: Optional[Message] = None
        self._episode = {"id": 0, "step": 0}
        self._reading: Optional[Reading] = None
        self._poller = zmq.Poller()
        self._context = zmq.Context()
        try:
            self._control = self._bind(zmq.ROUTER, address)
            self._action = self._bind(zmq.ROUTER, f"{host}:*")
            self._observation = self._bind(zmq.PUB, f"{host}:*")
            self._telemetry = self._bind(zmq.PUB, f"{host}:*")
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self.address = self._control.getsockopt_string(zmq.LAST_ENDPOINT)

    def run(self) -> None:
        """Serves until an exception such as KeyboardInterrupt ends it; the robot is then at rest."""
        next_tick, next_metrics = _now_us(), _now_us()
        try:
            while True:
                self._drain(self._control, self._handle_control, "control")
                self._drain(self._action, self._handle_action, "action")
                now = _now_us()
                self._watch(now)
                if now >= next_metrics:
                    next_metrics = now + 1_000_000
                    self._publish({"kind": "metrics", "counters": {f"actions_{k}": n for k, n in self.counters.items()}, "values": {}})
                if self.mode == "lockstep":
                    self._tick_lockstep(now)
                elif now >= next_tick:
                    next_tick = max(next_tick + self.period_us, now)
                    self._tick(now)
                wait = 20 if self.mode == "lockstep" else max(0, min(20, (next_tick - _now_us()) // 1000))
                self._poller.poll(wait)
        finally:
            self.close()

    def close(self) -> None:
        """Comes to rest, tells the clients and closes. May be called twice."""
        if self._context.closed:
            return
        self.robot.stop("safe")
        for peer in list(self._peers):
            self._reply(peer, {"kind": "bye", "reason": "the robot side ends"})
        self._context.destroy(linger=200)

    # control socket

    def _handle_control(self, peer: bytes, message: Message) -> None:
        kind = message["kind"]
        if kind == "hello":
            self._hello(peer, message)
            return
        client = self._client(peer, message)
        if kind == "ping":
            t2 = _now_us()
            if self._holds(peer, message):
                self._lease["seen_us"] = t2
            self._reply(peer, {"kind": "pong", "ref_seq": message["seq"], "t1_us": message["t1_us"], "t2_us": t2, "t3_us": _now_us()})
        elif kind == "lease_request":
            self._grant(peer, client, message)
        elif kind == "command":
            self._command(peer, client, message)
        elif kind == "bye":
            self._peers.pop(peer)
            if self._lease is not None and self._lease["peer"] == peer:
                self._drop("SAFE_STOP" if self.bridge_state in ("ACTIVE", "HOLD") else "IDLE", "controller_lost")
        else:
            raise BridgeError("unknown_kind", f"{kind} is not for a robot")

    def _client(self, peer: bytes, message: Message) -> Message:
        client = self._peers.get(peer)
        if client is None or client["session"] != message["session"]:
            raise BridgeError("unauthorized", "say hello first")
        return client

    def _hello(self, peer: bytes, message: Message) -> None:
        if _VERSION not in message.get("protocols", []):
            raise BridgeError("version_unsupported", f"this robot speaks {_VERSION}")
        if peer not in self._peers and len(self._peers) >= self.MAX_PEERS:
            raise BridgeError("busy", "too many clients")
        digests = {"observation_digest": observation_digest(self.schema), "action_digest": action_digest(self.schema)}
        for key, digest in digests.items():
            if message.get(key) not in (None, digest):
                raise BridgeError("schema_mismatch", f"{key.replace('_', ' ')}: trained for {message[key]}, this robot has {digest}")
        role = message.get("role")
        if role not in ("controller", "observer", "operator"):
            raise BridgeError("role_forbidden", "an unknown role")
        self._peers[peer] = {"session": os.urandom(16).hex(), "name": str(message.get("name")), "role": role}
        sockets = {"action": self._action, "observation": self._observation, "telemetry": self._telemetry}
        box = {"low": self.low.tolist(), "high": self.high.tolist(), "max_step": None if self.max_step is None else self.max_step.tolist()}
        self._reply(peer, {
            "kind": "welcome",
            "ref_seq": message["seq"],
            "protocol": _VERSION,
            "array_codec": "openpi",
            "role": role,
            "run": self.run_id,
            "mode": self.mode,
            "schema": self.schema,
            **digests,
            "limits": box,
            "watchdogs": {"soft_us": self._soft_us(), "hard_us": self.HARD_US, "lease_us": self.HEARTBEAT_US, "max_lead_us": self.MAX_LEAD_US},
            "endpoints": {key: socket.getsockopt_string(zmq.LAST_ENDPOINT) for key, socket in sockets.items()},
            "max_message_bytes": _MAX_COMMAND_BYTES,
            "insecure": False,
        })  # fmt: skip

    def _grant(self, peer: bytes, client: Message, message: Message) -> None:
        if client["role"] == "observer":
            raise BridgeError("role_forbidden", "an observer cannot hold the lease")
        if self.bridge_state in _LATCHED:
            raise BridgeError("fault_latched", "an operator must clear the stop")
        held = self._lease
        if held is not None and held["peer"] != peer:
            is_gone = _now_us() - held["seen_us"] > held["ttl_us"]  # only seen here in lock-step, which has no watchdog
            if not is_gone and not (message.get("preempt") and client["role"] == "operator"):
                raise BridgeError("lease_denied", "another client holds the lease")
            self._drop("IDLE", "lease_preempted")
            held = None
        if held is None:
            self._last_action_seq = 0
            self._go("READY", "lease_granted")
        ttl_us = 1000 * min(int(message.get("ttl_ms", 0)), 10_000)
        token = os.urandom(16).hex() if held is None else held["token"]
        self._lease = {"token": token, "peer": peer, "ttl_us": ttl_us, "seen_us": _now_us()}
        self._reply(peer, {"kind": "lease", "ref_seq": message["seq"], "lease": token, "ttl_ms": ttl_us // 1000})

    def _command(self, peer: bytes, client: Message, message: Message) -> None:
        command, is_operator = message.get("command"), client["role"] == "operator"
        if command == "clear":
            if not is_operator:
                raise BridgeError("role_forbidden", "only an operator can clear a stop")
            self._drop("IDLE", "cleared")
        elif not (self._holds(peer, message) or (is_operator and command in ("stop", "arm"))):
            raise BridgeError("fault_latched" if self.bridge_state in _LATCHED else "lease_denied", "this needs the lease")
        content: Message = {}
        if command == "arm":
            self._require(self.bridge_state == "READY", "busy", f"cannot arm in {self.bridge_state}")
            self.armed = True
        elif command == "start":
            self._start(message.get("mode") or self.mode)
        elif command in ("pause", "reset"):
            self._end("READY", command)
            if command == "reset":
                content["observation"] = self._reset(message)
        elif command == "stop":
            if message.get("category") == "safe":
                self._drop("SAFE_STOP", "stopped")
            elif self.bridge_state not in _LATCHED:
                self.armed = False
                self._end("IDLE" if self._lease is None else "READY", "stopped")
        elif command == "release":
            self._drop("IDLE", "lease_released")
        elif command != "clear":
            raise BridgeError("decode_failed", "an unknown command")
        if self._holds(peer, message):
            self._lease["seen_us"] = _now_us()
        self._reply(peer, {"kind": "ack", "ref_seq": message["seq"], "command": command, **content})

    def _start(self, mode: str) -> None:
        self._require(self.bridge_state == "READY", "busy", f"cannot start in {self.bridge_state}")
        self._require(self.armed, "not_armed", "the robot is not armed")
        self._require(mode == self.mode, "busy", f"this robot runs in {self.mode}")
        self._action_us, self._rejects = _now_us(), 0
        self._go("ACTIVE", "started")

    def _reset(self, message: Message) -> Message:
        self._reading = self.robot.reset(message.get("seed"), message.get("options") or {})
        self._episode = {"id": self._episode["id"] + 1, "step": 0}
        self._applied = self._target = None
        self._observation_seq += 1
        return self._content()

    # action socket

    def _handle_action(self, peer: bytes, message: Message) -> None:
        self._client(peer, message)
        if message["kind"] not in ("action", "chunk"):
            raise BridgeError("unknown_kind", "only actions come here")
        actions = message.get("action" if message["kind"] == "action" else "actions")
        count = len(actions) if message["kind"] == "chunk" and isinstance(actions, np.ndarray) and actions.ndim > 0 else 1
        self.counters["received"] += count
        try:
            steps = self._accept(peer, message, actions)
        except BridgeError as error:
            self.counters[error.code if error.code in ("late", "too_early") else "rejected"] += count
            raise
        kept = [step for step in self._queue if step.due_us < steps[0].due_us]
        self.counters["superseded"] += len(self._queue) - len(kept)
        self._queue = kept + steps

    def _accept(self, peer: bytes, message: Message, actions: Any) -> List[_Step]:
        self._require(self._holds(peer, message), "lease_expired", "no lease, or not this one")
        self._require(not (self._reading and (self._reading.terminated or self._reading.truncated)), "busy", "the episode is over: reset")
        self._require(message["epoch"] == self.epoch, "epoch_stale", f"epoch {message['epoch']}; now {self.epoch}")
        self._require(message["seq"] > self._last_action_seq, "seq_replay", "an action that came before")
        self._last_action_seq = message["seq"]
        self._require(self.bridge_state in ("ACTIVE", "HOLD"), "not_armed", "the robot is not started")
        try:
            steps = self._steps(message, actions)
        except BridgeError as error:
            self._rejects += error.code not in ("late", "too_early")
            if self._rejects >= self.MAX_REJECTS:
                self._drop("SAFE_STOP", "too_many_rejects")
            raise
        self._rejects, self._action_us = 0, _now_us()
        self._lease["seen_us"] = self._action_us
        if self.bridge_state == "HOLD":
            self._go("ACTIVE", "resumed")
        return steps

    def _steps(self, message: Message, actions: Any) -> List[_Step]:
        self._require(isinstance(actions, np.ndarray) and actions.dtype == np.float32, "bad_dtype", "actions are float32 arrays")
        rows = actions[None] if message["kind"] == "action" else actions
        self._require(rows.ndim == 2 and rows.shape[0] > 0 and rows.shape[1:] == self.low.shape, "bad_shape", f"{list(actions.shape)}")
        self._require(bool(np.isfinite(rows).all()), "not_finite", "NaN or infinity")
        now = _now_us()
        first, step_us, ttl_us = (message.get(key) for key in ("due_us" if message["kind"] == "action" else "start_us", "step_us", "ttl_us"))
        step_us = self.period_us if message["kind"] == "action" else step_us
        self._require(all(_is_count(x) for x in (first, step_us, ttl_us)), "decode_failed", "times are whole microseconds")
        first = first or now
        ttl_us = ttl_us or self._soft_us()
        self._require(first + (len(rows) - 1) * step_us + ttl_us >= now, "late", "its time is over")
        self._require(first - now <= self.MAX_LEAD_US, "too_early", "due too far ahead")
        place = message["seq"], message.get("observation_seq", 0)
        return [_Step(first + k * step_us, first + k * step_us + ttl_us, row, *place) for k, row in enumerate(rows)]

    # the loop

    def _tick_lockstep(self, now: int) -> None:
        answers = [step for step in self._queue if step.observation_seq == self._observation_seq]
        self.counters["superseded"] += max(0, len(answers) - 1)
        self.counters["late"] += len(self._queue) - len(answers)
        self._queue = []
        if answers:
            self._apply(answers[-1], 0)
            self._observe()
        elif self._reading is not None and now - self._sent_us > 200_000:
            self._publish_observation()  # again: a subscriber that joined late must not wait for ever

    def _tick(self, now: int) -> None:
        due = [step for step in self._queue if step.due_us <= now]
        self._queue = self._queue[len(due) :]
        self.counters["superseded"] += max(0, len(due) - 1)
        self._applied = None
        if due and due[-1].until_us < now:
            self.counters["late"] += 1
        elif due:
            self._apply(due[-1], now - due[-1].due_us)
        elif self.bridge_state == "ACTIVE" and self._target is not None:
            self._run_robot(lambda: self.robot.apply(self._target.copy()))  # until the soft watchdog holds
        elif self.bridge_state == "HOLD":
            self._run_robot(lambda: self.robot.stop("hold"))
        self._observe()

    def _apply(self, step: _Step, late_us: int) -> None:
        action = np.clip(step.action, self.low, self.high)
        clamped = int((action != step.action).any())
        if self.max_step is not None and self._target is not None:
            near = np.clip(action, self._target - self.max_step, self._target + self.max_step)
            clamped |= 2 * int((near != action).any())
            action = near
        self._target = action
        self.counters["applied"] += 1
        self._episode["step"] += 1
        self._applied = {"seq": step.seq, "observation_seq": step.observation_seq, "action": action, "clamped": clamped, "late_us": late_us}
        self._run_robot(lambda: self.robot.apply(action.copy()))

    def _run_robot(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # whatever a driver raises, the robot must come to rest and the bridge stay up
            self._drop("SAFE_STOP", "internal", f"the robot failed: {type(error).__name__}")
            return None

    def _watch(self, now: int) -> None:
        lease = self._lease
        if lease is None:
            return
        moving, silent = self.bridge_state in ("ACTIVE", "HOLD"), now - lease["seen_us"]
        gap = now - self._action_us
        if self.mode == "lockstep":
            return  # time stands still while a policy thinks or learns
        if moving and gap > self.HARD_US:
            self._drop("SAFE_STOP", "hard_watchdog")
        elif silent > lease["ttl_us"] or (not moving and silent > self.HEARTBEAT_US):
            self._drop("SAFE_STOP" if moving else "IDLE", "lease_expired")
        elif self.bridge_state == "ACTIVE" and gap > self._soft_us():
            self._halt("hold")
            self._go("HOLD", "soft_watchdog")

    def _soft_us(self) -> int:
        return max(self.SOFT_US, 2 * self.period_us)

    def _drop(self, state: str, code: str, text: str = "") -> None:
        """Takes lease and arming away."""
        self._lease, self.armed = None, False
        self._end(state, code, text)

    def _end(self, state: str, code: str, text: str = "") -> None:
        """Comes to rest in a new epoch: nothing that is on its way counts any more."""
        self.epoch += 1
        self._halt("safe" if state == "SAFE_STOP" else "hold")
        self._go(state, code, text)

    def _halt(self, category: str) -> None:
        self.counters["superseded"] += len(self._queue)
        self._queue, self._target = [], None
        try:
            self.robot.stop(category)
        except Exception:  # nothing more can be done from here; the state is latched by the caller
            self.bridge_state = "SAFE_STOP"

    def _go(self, state: str, code: str, text: str = "") -> None:
        before, self.bridge_state = self.bridge_state, state
        self._publish({"kind": "event", "event": "state", "code": code, "text": text or code, "from_state": before, "to_state": state})

    # messages

    def _observe(self) -> None:
        reading = self._run_robot(self.robot.read)
        if reading is None:
            return
        self._reading = reading
        self._observation_seq += 1
        self._publish_observation()

    def _publish_observation(self) -> None:
        self._sent_us = _now_us()
        self._observation.send(self._encode("observation", {"kind": "observation", **self._content()}, self.run_id))

    def _content(self) -> Message:
        r = self._reading
        return {
            "observation_seq": self._observation_seq,
            "capture_us": _now_us() - r.age_us,
            "stale": False,
            "proprio": np.asarray(r.proprio, dtype=np.float32),
            "state": np.asarray(r.state, dtype=np.float32),
            "images": {key: {"encoding": "raw", "pixels": np.asarray(image, dtype=np.uint8)} for key, image in r.images.items()},
            "extras": {key: np.asarray(array) for key, array in r.extras.items()},
            "reward": float(r.reward),
            "terminated": bool(r.terminated),
            "truncated": bool(r.truncated),
            "info": {key: float(x) for key, x in r.info.items()},
            "episode": dict(self._episode),
            "applied": self._applied,
            "health": {"dropped": 0, "rejected": self.counters["rejected"], "queue_length": len(self._queue)},
        }

    def _drain(self, socket: zmq.Socket, handle: Callable[[bytes, Message], None], name: str) -> None:
        """Reads what is there, at most 100 messages so that a flood cannot stop the loop."""
        for _ in range(100):
            try:
                peer, *parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            seq = None
            try:
                message = decode_message(b"".join(parts), _MAX_COMMAND_BYTES)
                seq = message["seq"]
                handle(peer, message)
            except BridgeError as error:
                if peer in self._peers or name == "control":
                    self._reply(peer, {"kind": "error", "code": error.code, "text": error.text, "ref_seq": seq})
            except (KeyError, TypeError, ValueError, AttributeError) as error:  # a field that is missing or of another type
                self._reply(peer, {"kind": "error", "code": "decode_failed", "text": f"a field is wrong: {type(error).__name__}", "ref_seq": seq})

    def _holds(self, peer: bytes, message: Message) -> bool:
        return self._lease is not None and self._lease["peer"] == peer and self._lease["token"] == message.get("lease")

    def _require(self, condition: bool, code: str, text: str) -> None:
        if not condition:
            raise BridgeError(code, text)

    def _reply(self, peer: bytes, message: Message) -> None:
        session = self._peers.get(peer, {}).get("session", "")
        try:
            self._control.send_multipart([peer, self._encode("control", message, session)], zmq.NOBLOCK)
        except zmq.ZMQError:
            self._peers.pop(peer, None)  # it is gone, or reads nothing

    def _publish(self, message: Message) -> None:
        self._telemetry.send(self._encode("telemetry", message, self.run_id))

    def _encode(self, socket: str, message: Message, session: str) -> bytes:
        self._seq[socket] += 1
        header = {"session": session, "seq": self._seq[socket], "time_us": _now_us(), "epoch": self.epoch}
        return encode_message({**header, "bridge_state": self.bridge_state, "armed": self.armed, **message})

    def _bind(self, kind: int, address: str) -> zmq.Socket:
        socket = self._context.socket(kind)
        options = {zmq.LINGER: 0, zmq.SNDHWM: 4 if kind == zmq.PUB else 100}
        if kind == zmq.ROUTER:
            options.update({zmq.ROUTER_MANDATORY: 1, zmq.MAXMSGSIZE: _MAX_COMMAND_BYTES, zmq.SNDTIMEO: 0})
        for option, value in options.items():
            socket.setsockopt(option, value)
        socket.bind(address)
        if kind == zmq.ROUTER:
            self._poller.register(socket, zmq.POLLIN)
        return socket


_LATCHED = ("SAFE_STOP", "ESTOP")


def serve_robot(
    robot: Robot,
    address: str = "tcp://127.0.0.1:5600",
    max_step: Optional[Sequence[float]] = None,
    mode: str = "realtime",
) -> None:
    """Puts `robot` behind the bridge until interrupted; see RobotServer."""
    RobotServer(robot, address, max_step, mode).run()


# --- gymnasium --------------------------------------------------------------------------------------------------------

try:
    import gymnasium
except ImportError:
    gymnasium = None

if gymnasium is not None:

    class ArmatureEnv(gymnasium.Env):
        """A simulated robot across the bridge as a Gymnasium env, in lock-step. Observations are a dict: `proprio`, one image per camera,
        `goal` where the robot has one, and `state` (privileged) if asked for."""

        metadata: Dict[str, Any] = {"render_modes": []}

        def __init__(self, address: str = "tcp://127.0.0.1:5600", *, keys: Optional[Keys] = None, with_state: bool = False) -> None:
            self.robot = RobotClient(address, name="gymnasium", keys=keys)
            schema = self.robot.schema
            if self.robot.welcome["mode"] != "lockstep":
                self.robot.close()
                raise BridgeError("busy", "this robot does not wait for actions; use RobotClient, or start it in lock-step")
            self._vectors = [key for key in ("proprio", "state", "goal") if key in schema and (key != "state" or with_state)]
            self._cameras = list(schema["images"])
            spaces: Dict[str, Any] = {key: _box(schema[key]) for key in self._vectors}
            for name, camera in schema["images"].items():
                spaces[name] = gymnasium.spaces.Box(0, 255, tuple(camera["shape"]), np.uint8)
            self.observation_space = gymnasium.spaces.Dict(spaces)
            self.action_space = _box(schema["action"])
            self._last: Message = {}
            self._goal: Optional[np.ndarray] = None

        def reset(self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None) -> Tuple[Message, Message]:
            super().reset(seed=seed)
            if self.robot.bridge_state == "IDLE":
                self.robot.lease(ttl_ms=10_000)
            first = self.robot.reset(seed, options)
            goal = first.get("goal")
            self._goal = None if goal is None else goal["state"]
            if not self.robot.armed:
                self.robot.arm()
            self.robot.start()
            self._last = first
            return self._content(self._last), dict(self._last["info"])

        def step(self, action: Any) -> Tuple[Message, float, bool, bool, Message]:
            self._last = last = self.robot.step(action, self._last)
            return self._content(last), float(last["reward"]), last["terminated"], last["truncated"], dict(last["info"])

        def close(self) -> None:
            self.robot.close()

        def _content(self, observation: Message) -> Message:
            content = {key: observation[key] for key in self._vectors if key != "goal"}
            if "goal" in self._vectors:
                content["goal"] = self._goal
            return {**content, **{name: observation["images"][name]["pixels"] for name in self._cameras}}

    def _box(vector: Message) -> Any:
        low, high = (np.asarray(vector[key], dtype=vector["dtype"]).reshape(vector["shape"]) for key in ("low", "high"))
        return gymnasium.spaces.Box(low, high, tuple(vector["shape"]), np.dtype(vector["dtype"]).type)
