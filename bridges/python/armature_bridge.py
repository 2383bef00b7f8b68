"""Drive a robot across the Armature bridge from Python, or put a robot that Python controls behind it.

Needs pyzmq, msgpack and numpy; `ArmatureEnv` is there where gymnasium can be imported. Top to bottom: messages, keys, client, robot side,
Gymnasium env. The wire protocol is described in `bridges/protocol/README.md`; a message is a plain dict here, with the names that it has on
the wire.

    with RobotClient("tcp://127.0.0.1:5600") as robot:
        robot.lease()
        robot.arm()
        observation = robot.reset(seed=7)
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
import re
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple, TypeVar

import msgpack  # type: ignore[import-untyped]
import numpy as np
import zmq
from zmq.utils import z85

Message = Dict[str, Any]
Handler = Callable[[bytes, str, Message], None]
Result = TypeVar("Result")

# --- messages ---------------------------------------------------------------------------------------------------------

_LETTERS = {
    "hello": b"h", "welcome": b"w", "lease_request": b"q", "lease": b"l", "command": b"c", "ack": b"k", "error": b"x",
    "action": b"a", "chunk": b"t", "observation": b"o", "event": b"e", "metrics": b"m", "ping": b"p", "pong": b"r", "bye": b"b",
}  # fmt: skip
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_DTYPES = frozenset(["|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8", "|b1"])
_MAX_BYTES = 64 * 1024 * 1024
_MAX_COMMAND_BYTES = 256 * 1024
_VERSION = "1.0"


class BridgeError(Exception):
    """The peer refused something, or sent something that is no message; `code` is one of the protocol's error codes."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def _require(condition: object, code: str, text: str) -> None:
    if not condition:
        raise BridgeError(code, text)


def encode_message(message: Mapping[str, Any]) -> bytes:
    """The bytes of one message part. Arrays may be of any layout and byte order; element types are those of the protocol."""
    body: bytes = msgpack.packb(message, default=_to_wire, use_bin_type=True)
    return b"rb1" + _LETTERS[message["kind"]] + body


def decode_message(data: bytes, limit: int = _MAX_BYTES) -> Message:
    """Reads one message part; arrays are fresh and writable. Raises BridgeError for anything that is no well-formed message."""
    _require(data[:2] == b"rb", "bad_magic", "not a message of this protocol")
    _require(data[:3] == b"rb1", "version_unsupported", "another version of the protocol")
    kind = _KINDS.get(data[3:4])
    _require(kind, "unknown_kind", "a kind of message that this version does not know")
    _require(len(data) <= limit, "too_large", f"{kind} of {len(data)} bytes")
    _check_structure(data)
    try:
        message = msgpack.unpackb(data[4:], object_pairs_hook=_from_wire, ext_hook=_no_extension, raw=False)
    except BridgeError:
        raise
    except Exception as error:  # msgpack raises a dozen types for bytes that are not msgpack
        raise BridgeError("decode_failed", f"not msgpack: {type(error).__name__}") from None
    _require(isinstance(message, dict) and message.get("kind") == kind, "bad_header", "the kind does not agree with the prefix")
    for key in ("seq", "time_us", "epoch"):
        _require(_is_count(message.get(key)), "bad_header", f"the header has no {key}")
    _require(isinstance(message.get("session"), str), "bad_header", "the header has no session")
    return dict(message)


def _check_structure(data: bytes, start: int = 4, max_depth: int = 16, max_values: int = 4096) -> None:
    """That the protocol allows what begins at `start`, before anything is built of it: depth, number of values, no extension types."""
    at, end, values, open_counts = start, len(data), 0, [1]
    while open_counts:
        if open_counts[-1] == 0:
            open_counts.pop()
            continue
        open_counts[-1] -= 1
        values += 1
        _require(len(open_counts) <= max_depth, "decode_limit", f"nested deeper than {max_depth}")
        _require(values <= max_values, "decode_limit", f"more than {max_values} values")
        _require(at < end, "decode_failed", "the message is cut short")
        code = data[at]
        at += 1
        if 0x80 <= code <= 0x9F:
            open_counts.append((code & 15) * (2 if code < 0x90 else 1))
        elif 0xA0 <= code <= 0xBF:
            at += code & 31
        elif 0xC4 <= code <= 0xC6 or 0xD9 <= code <= 0xDF:
            width = (1, 2, 4)[code - 0xC4] if code <= 0xC6 else (1, 2, 4, 2, 4, 2, 4)[code - 0xD9]
            length = int.from_bytes(data[at : at + width], "big")
            at += width
            if code >= 0xDC:
                open_counts.append(length * (2 if code >= 0xDE else 1))
            else:
                at += length
        elif 0xCA <= code <= 0xD3:
            at += (4, 8, 1, 2, 4, 8, 1, 2, 4, 8)[code - 0xCA]
        else:
            _require(code < 0x80 or code >= 0xE0 or code in (0xC0, 0xC2, 0xC3), "decode_failed", "extension types are not allowed")
        _require(at <= end, "decode_failed", "the message is cut short")
    _require(at == end, "decode_failed", "bytes are left over")


def _to_wire(value: Any) -> Any:
    if isinstance(value, np.generic) and not isinstance(value, (np.void, np.complexfloating)):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} cannot cross the bridge")
    dtype = value.dtype.newbyteorder("<")
    if dtype.str not in _DTYPES:
        raise TypeError(f"arrays of {value.dtype} cannot cross the bridge")
    data = value.astype(dtype, copy=False).tobytes()  # row-major, whatever the layout
    return {"__ndarray__": True, "data": data, "dtype": dtype.str, "shape": list(value.shape)}


def _from_wire(pairs: Sequence[Tuple[Any, Any]]) -> Any:
    entries = dict(pairs)
    _require(len(entries) == len(pairs), "decode_failed", "a key comes twice")
    if entries.get("__ndarray__") is not True:
        return entries
    code, shape, data = (entries.get(key) for key in ("dtype", "shape", "data"))
    if code not in _DTYPES:
        raise BridgeError("bad_dtype", "an element type that is not allowed")
    if not isinstance(shape, list) or len(shape) > 8 or not all(map(_is_count, shape)):
        raise BridgeError("bad_shape", "an array without a shape")
    size = np.dtype(code).itemsize
    for n in shape:
        size *= n
    if not isinstance(data, bytes) or len(data) != size:
        raise BridgeError("bad_shape", "an array whose data does not fill its shape")
    return np.ndarray(tuple(shape), dtype=code, buffer=data).copy()


def _is_count(value: Any) -> bool:
    """A whole number may come as a float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**53 and float(value).is_integer()


def _no_extension(code: int, data: bytes) -> Any:
    raise BridgeError("decode_failed", f"extension type {code} is not allowed")


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
    if not np.isfinite(value):
        return {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}[str(value)]
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if 0 < point <= 21:
        body = text[:point].ljust(point, "0") + ("." + text[point:] if len(text) > point else "")
    elif -6 < point <= 0:
        body = "0." + "0" * -point + text
    else:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"e{point - 1:+d}"
    return "-" * sign + body


def _now_us() -> int:
    return time.monotonic_ns() // 1000


# --- keys and sockets -------------------------------------------------------------------------------------------------

_ROLES = ("observer", "controller", "operator")  # each may do what those before it may


class Keys(NamedTuple):
    """CURVE keys of one side in Z85 text, and for a client the robot's public key."""

    public: str
    secret: str
    robot: Optional[str] = None

    @classmethod
    def read(cls, path: str, robot: Optional[str] = None) -> Keys:
        """From a file of `armature keygen`. `robot`: the robot's public key, or its key file. Raises ValueError for a file that is none or
        that others than its owner may read."""
        with open(path, encoding="utf-8") as file:
            mode, content = os.fstat(file.fileno()).st_mode, json.load(file)
        if os.name == "posix" and mode & 0o077:
            raise ValueError(f'{path} can be read by others: run "chmod 600 {path}", and make a new key if someone may have read this one')
        if not (isinstance(content, dict) and _is_key(content.get("publicKey")) and _is_key(content.get("secretKey"))):
            raise ValueError(f'{path} is no key file: make one with "armature keygen"')
        robot_key = robot if robot is None or _is_key(robot) else cls.read(robot).public
        return cls(content["publicKey"], content["secretKey"], robot_key)


def _is_key(text: Any) -> bool:
    try:
        return isinstance(text, str) and len(text) == 40 and len(z85.decode(text)) == 32
    except Exception:  # of several types, for characters that are not of Z85
        return False


class _Admitted(NamedTuple):
    name: str
    role: str
    expires_s: float


def _read_authorized_keys(path: str) -> Dict[str, _Admitted]:
    """Who may connect, by public key: a list of `armature authorize`. Raises OSError or ValueError for one that cannot be read."""
    keys = {}
    try:
        with open(path, encoding="utf-8") as file:
            entries = json.load(file)["keys"]
        for entry in entries:
            until = datetime.fromisoformat(entry.get("expires", "9999-01-01T00:00:00Z").replace("Z", "+00:00"))
            keys[entry["publicKey"]] = _Admitted(entry["name"], entry["role"], until.timestamp())
            if not _is_key(entry["publicKey"]) or entry["role"] not in _ROLES or until.tzinfo is None:
                raise ValueError("an entry has a public key, a name, a role, and perhaps a time with its zone when it expires")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is no list of authorized keys: {error}") from None
    return keys


def prove_key(secret: str, public: str, routing_id: bytes) -> str:
    """What `hello` proves its key by: HMAC-SHA256 of the routing id, keyed with X25519(one's own secret, the other's public key)."""
    shared = _x25519(z85.decode(secret), z85.decode(public))
    return hmac.new(shared, b"rb1 hello" + routing_id, hashlib.sha256).hexdigest()


def _x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748, section 5. Not constant in time: only clients use it, once per connection, with the key of the robot that they chose."""
    prime = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ((1 << 255) - 8) & ((1 << 255) - 1) | (1 << 254)
    x1 = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3 = 1, 0, x1, 1
    for t in reversed(range(255)):
        bit = (k >> t) & 1
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % prime, b * b % prime, d * a % prime, c * b % prime
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % prime, x1 * (da - cb) ** 2 % prime
        x2, z2 = aa * bb % prime, e * (aa + 121665 * e) % prime
        if bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, prime - 2, prime) % prime).to_bytes(32, "little")


def _make_socket(context: zmq.Context[Any], kind: int, options: Mapping[int, Any]) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    for option, value in {zmq.LINGER: 0, zmq.SNDTIMEO: 0, **options}.items():
        socket.setsockopt(option, value)
    return socket


def _is_loopback(address: str) -> bool:
    return re.fullmatch(r"tcp://(localhost|\[::1\]|127(\.\d{1,3}){3}):[^:]*", address) is not None


def _seen_from(control: str, bound: str) -> str:
    """The host by which the control socket was reached, the port that the robot bound."""
    if not (control.startswith("tcp://") and bound.startswith("tcp://")):
        return bound
    return f"{control.rpartition(':')[0]}:{bound.rpartition(':')[2]}"


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
        policy: Optional[Message] = None,
        timeout_s: float = 3.0,
    ) -> None:
        """Connects, and raises BridgeError if the robot refuses or does not answer for `timeout_s`. The digests are of what a policy was
        trained for; `policy` ({id, hash?, step?}) says in recordings what acted."""
        self.timeout_s = timeout_s
        self.policy = policy
        self.refusals: Deque[Message] = deque(maxlen=100)  # errors that answer no request, newest last
        self.drops = 0  # actions that could not be sent at once
        self.epoch, self.bridge_state, self.armed = 0, "IDLE", False
        self._session = ""
        self._lease: Optional[str] = None
        self._seq = self._last_seen = self._awaited = 0
        self._answer: Optional[Message] = None
        self._clock: Deque[Tuple[int, int]] = deque(maxlen=64)  # (round trip, offset), microseconds
        self._next_ping = 0.0
        self._context = zmq.Context()
        try:
            routing_id = os.urandom(16)
            dealer: Dict[int, Any] = {zmq.IMMEDIATE: 1, zmq.ROUTING_ID: routing_id}
            self._control = self._connect(zmq.DEALER, address, keys, dealer)
            hello: Message = {"kind": "hello", "name": name, "role": role, "software": f"armature_bridge.py {_VERSION}"}
            hello.update(protocols=[_VERSION], array_codecs=["openpi"])
            hello.update(observation_digest=observation_digest, action_digest=action_digest)
            if keys is not None and keys.robot is not None:
                hello.update(public_key=keys.public, key_proof=prove_key(keys.secret, keys.robot, routing_id))
            if not self._control.poll(int(timeout_s * 1000), zmq.POLLOUT):
                raise BridgeError("unauthorized", "no connection: is the robot there, and do the keys fit?")
            self.welcome = self._request(hello)
            self._session = self.welcome["session"]
            endpoints = {key: _seen_from(address, bound) for key, bound in self.welcome["endpoints"].items()}
            self._action = self._connect(zmq.DEALER, endpoints["action"], keys, {**dealer, zmq.SNDHWM: 2})
            newest: Dict[int, Any] = {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b"rb1o"}
            self._observation = self._connect(zmq.SUB, endpoints["observation"], keys, newest)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    @property
    def schema(self) -> Message:
        """What the robot is: names, shapes and bounds of its vectors, cameras, rate."""
        return dict(self.welcome["schema"])

    def __enter__(self) -> RobotClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # requests, each answered before they return

    def lease(self, ttl_ms: int = 2000, reason: str = "") -> None:
        """Asks to be the one who drives. Raises BridgeError `lease_denied` while another one does."""
        self._lease = self._request({"kind": "lease_request", "ttl_ms": ttl_ms, "reason": reason})["lease"]

    def arm(self) -> None:
        """Lets it move as soon as it is started."""
        self._command("arm")

    def start(self) -> None:
        """From now on actions are executed and must keep coming; a robot in lock-step waits for each instead."""
        self._command("start", mode=self.welcome["mode"])

    def pause(self) -> None:
        """Comes to rest and stays armed."""
        self._command("pause")

    def stop(self, category: str = "hold") -> None:
        """Comes to rest; `safe` latches, and only an operator can clear it."""
        self._command("stop", category=category)

    def reset(self, seed: Optional[int] = None, options: Optional[Mapping[str, Any]] = None, timeout_s: float = 30.0) -> Message:
        """Brings the robot to where an episode can start and returns the first observation, with `goal` where the robot has one."""
        ack = self._command("reset", timeout_s, seed=seed, options=options)
        header = {key: ack[key] for key in ("epoch", "bridge_state", "armed")}
        first = {**header, "goal": ack.get("goal"), **(ack.get("observation") or {})}
        self._last_seen = first.get("observation_seq", 0)
        return first

    def clear(self) -> None:
        """Ends a latched stop; operators only."""
        self._command("clear")

    def release(self) -> None:
        """Gives the lease back."""
        self._command("release")
        self._lease = None

    # the loop

    def observe(self, timeout_s: Optional[float] = None) -> Optional[Message]:
        """The newest observation that was not returned before, or None after `timeout_s` (default: two control periods): then stop, or go
        on asking. Never an old one again, never one of a robot that was restarted."""
        period = 2.0 / self.welcome["schema"]["control_hz"]
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

    def act(self, action: Any, observation: Message, due_us: int = 0, ttl_us: int = 0) -> bool:
        """Sends the action that answers `observation`. False: there is no connection at the moment, and it was dropped. `due_us` is a time
        of the robot's clock (see `robot_time_us`), after which it counts for `ttl_us`; 0: at the next control tick, and no such limit."""
        body = {"kind": "action", "due_us": due_us, "ttl_us": ttl_us, "action": np.asarray(action, dtype=np.float32)}
        return self._send_action(body, observation)

    def chunk(self, actions: Any, observation: Message, start_us: int, step_us: int, ttl_us: int = 0) -> bool:
        """Sends actions [steps, size] of which step k is due at `start_us + k step_us` by the robot's clock."""
        body = {"kind": "chunk", "start_us": start_us, "step_us": step_us, "ttl_us": ttl_us}
        return self._send_action({**body, "actions": np.asarray(actions, dtype=np.float32)}, observation)

    def step(self, action: Any, observation: Message, timeout_s: float = 30.0) -> Message:
        """Lock-step: sends the action and waits for the observation that follows. Raises BridgeError when the robot refuses the action."""
        deadline = time.monotonic() + timeout_s
        self.refusals.clear()
        self._action.poll(int(timeout_s * 1000), zmq.POLLOUT)  # its connection may be a moment younger than the robot's answers
        _require(self.act(action, observation), "busy", "no connection to the action socket")
        sent = self._seq
        while time.monotonic() < deadline:
            following = self.observe(timeout_s=0.05)
            if following is not None:
                return following
            for refusal in self.refusals:
                if refusal.get("ref_seq") == sent:
                    raise BridgeError(refusal["code"], refusal["text"])
        raise BridgeError("busy", f"no observation for {timeout_s} s")

    def robot_time_us(self) -> int:
        """Now by the robot's clock, wrong by at most `clock_error_us`. Raises BridgeError before eight pings were answered."""
        _require(len(self._clock) >= 8, "busy", "the clocks are not compared yet: call service() for two seconds")
        return _now_us() + min(self._clock)[1]

    @property
    def clock_error_us(self) -> float:
        """Largest error of `robot_time_us`: half the shortest round trip."""
        return min(self._clock)[0] / 2 if self._clock else float("inf")

    def service(self, wait_s: float = 0.0) -> None:
        """Sends a ping every 200 ms and reads what the robot says on the control socket, for which it waits no longer than `wait_s`. Raises
        BridgeError when the robot says goodbye or was restarted."""
        if self._session and time.monotonic() >= self._next_ping:
            self._next_ping = time.monotonic() + 0.2
            self._send({"kind": "ping", "t1_us": _now_us(), "lease": self._lease}, self._control)
        wait_ms = int(wait_s * 1000)
        while self._control.poll(wait_ms):
            self._take(decode_message(self._control.recv()))
            wait_ms = 0

    def close(self) -> None:
        """Stops the robot if this client drives it, says goodbye and closes. May be called twice."""
        if self._context.closed:
            return
        try:
            if self._lease is not None:
                self.stop()
                self.release()
            self._send({"kind": "bye", "reason": "closed"}, self._control)
        except (BridgeError, zmq.ZMQError):
            pass  # the robot is gone or has stopped by itself
        finally:
            self._context.destroy(linger=200)

    # inside

    def _connect(self, kind: int, address: str, keys: Optional[Keys], options: Mapping[int, Any]) -> zmq.Socket[bytes]:
        curve: Dict[int, Any] = {}
        if keys is not None:
            if keys.robot is None:
                raise BridgeError("unauthorized", "the robot's public key is needed")
            curve = {zmq.CURVE_SERVERKEY: keys.robot.encode(), zmq.CURVE_PUBLICKEY: keys.public.encode()}
            curve[zmq.CURVE_SECRETKEY] = keys.secret.encode()
        socket = _make_socket(self._context, kind, {zmq.MAXMSGSIZE: _MAX_BYTES, **curve, **options})
        socket.connect(address)
        return socket

    def _command(self, command: str, timeout_s: Optional[float] = None, **content: Any) -> Message:
        return self._request({"kind": "command", "command": command, "lease": self._lease, **content}, timeout_s)

    def _request(self, message: Message, timeout_s: Optional[float] = None) -> Message:
        what = message.get("command", message["kind"])
        _require(self._send(message, self._control), "busy", f"no connection for {what}")
        self._awaited, self._answer = self._seq, None
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while self._answer is None:
            _require(time.monotonic() < deadline, "busy", f"no answer to {what}")
            self.service(0.02)
        if self._answer["kind"] == "error":
            raise BridgeError(self._answer["code"], self._answer["text"])
        return self._answer

    def _take(self, message: Message) -> None:
        kind, is_answer = message["kind"], message.get("ref_seq") == self._awaited
        if message["session"] != self._session and not (is_answer and not self._session):
            is_end = kind == "error" and message["code"] == "unauthorized"
            _require(not is_end, "unauthorized", "the robot was restarted and knows nothing of before, or shut this client out")
            return
        self._follow(message)
        if kind == "pong":
            t1, t2, t3, t4 = message["t1_us"], message["t2_us"], message["t3_us"], _now_us()
            if t4 - t1 >= t3 - t2 >= 0:
                self._clock.append((t4 - t1 - (t3 - t2), (t2 - t1 + t3 - t4) // 2))
        elif kind == "bye":
            self._lease = None
            raise BridgeError("busy", f"the robot said goodbye: {message['reason']}")
        elif is_answer:
            self._answer, self._awaited = message, 0
        elif kind == "error":
            self.refusals.append(message)

    def _follow(self, message: Message) -> None:
        self.epoch = message["epoch"]
        self.bridge_state = message.get("bridge_state", self.bridge_state)
        self.armed = message.get("armed", self.armed)

    def _send_action(self, body: Message, observation: Message) -> bool:
        self.service()
        # The epoch of the observation, not the newest: an answer to what was before a stop must not count after it.
        answered = {key: observation[key] for key in ("observation_seq", "epoch")}
        is_sent = self._send({**body, **answered, "lease": self._lease, "policy": self.policy}, self._action)
        self.drops += not is_sent
        return is_sent

    def _send(self, message: Message, socket: zmq.Socket[bytes]) -> bool:
        """False where there is no connection: nothing must wait for one."""
        self._seq += 1  # one count for both sockets, so that a refusal names one message
        header = {"session": self._session, "seq": self._seq, "time_us": _now_us(), "epoch": self.epoch}
        try:
            socket.send(encode_message({**header, **message}))
        except zmq.Again:
            return False
        return True


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
    """What `RobotServer` needs; it is called from one thread.

    schema: see `robot_schema`.
    reset: brings it to where an episode can start.
    read: the newest reading.
    apply: executes an action, always inside the limits, for one control period; returns at once, or a simulated robot advances by it.
    stop: comes to rest: `hold` stays powered, `safe` is whatever is safest. Must be safe to call again and again.
    """

    schema: Message

    def reset(self, seed: Optional[int], options: Mapping[str, Any]) -> Reading: ...
    def read(self) -> Reading: ...
    def apply(self, action: np.ndarray[Any, Any]) -> None: ...
    def stop(self, category: str) -> None: ...


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
    images = {key: {**camera, "shape": [height, width, 3]} for key, (height, width) in cameras.items()}
    vectors = {"action": action, "proprio": proprio, "state": vector_schema([], [], []) if state is None else state}
    times = {"control_hz": control_hz, "max_episode_steps": max_episode_steps}
    return {"name": name, "serial": serial, **times, "is_simulated": is_simulated, "action_kind": action_kind, **vectors, "images": images}


@dataclass
class _Peer:
    session: str
    name: str
    role: str
    user: str  # public key, empty without keys
    seen_us: int


@dataclass
class _Lease:
    token: str
    peer: bytes
    ttl_us: int
    seen_us: int


class _Step(NamedTuple):
    due_us: int
    until_us: int
    action: np.ndarray[Any, Any]
    seq: int
    observation_seq: int


class RobotServer:
    """A robot side in one thread: keys with roles, one lease, epochs, watchdogs, limits on range and change per period, latched stop. It
    is the small sibling of the TypeScript robot side, without profiles of accelerations and without an input for the emergency stop."""

    SOFT_US, HARD_US, HEARTBEAT_US, IDLE_US, MAX_LEAD_US = 100_000, 500_000, 1_000_000, 10_000_000, 2_000_000
    MAX_REJECTS, MAX_PEERS, EVENTS_PER_S = 5, 32, 10

    def __init__(
        self,
        robot: Robot,
        address: str = "tcp://127.0.0.1:5600",
        max_step: Optional[Sequence[float]] = None,
        mode: str = "realtime",
        *,
        keys: Optional[Keys] = None,
        authorized_keys: str = "authorized_keys.json",
        insecure_lan: bool = False,
    ) -> None:
        """Binds at `address` and, for the other three sockets, at ports that the system chooses.

        max_step: largest change of each element of the action from one control period to the next, beginning from where the robot is (a
            position) or from rest (a velocity); None: any.
        mode: `realtime`, or `lockstep`: the robot, a simulated one, waits for the action that answers its newest observation.
        keys: of this robot; then only keys in the list `authorized_keys` connect, each in its role.
        insecure_lan: lets an address other than loopback go without keys: anyone in the network can then move the robot.
        """
        if mode == "lockstep" and not robot.schema["is_simulated"]:
            raise ValueError("only a simulated robot can run in lock-step: time does not wait for a policy")
        self.is_insecure = keys is None and not _is_loopback(address)
        if self.is_insecure and not insecure_lan:
            fix = 'make keys with "armature keygen", or use tcp://127.0.0.1, or say that the network is safe (insecure_lan)'
            raise ValueError(f"{address} can be reached by others, and there are no keys: {fix}")
        self.robot, self.schema, self.mode = robot, robot.schema, mode
        self.low, self.high = (np.asarray(self.schema["action"][key], dtype=np.float32) for key in ("low", "high"))
        self.max_step = None if max_step is None else np.asarray(max_step, dtype=np.float32)
        if self.max_step is not None and self.max_step.shape != self.low.shape:
            raise ValueError(f"max_step has the shape {self.max_step.shape}, actions {self.low.shape}")
        names, measured = self.schema["action"]["names"], self.schema["proprio"]["names"]
        self._begins_measured = self.max_step is not None and self.schema["action_kind"] == "position"
        if self._begins_measured and not set(names) <= set(measured):
            raise ValueError(f"with max_step, proprio needs {names}, so that motion begins where the robot is")
        self._measured = [measured.index(name) for name in names] if self._begins_measured else []
        self.period_us = int(1e6 / self.schema["control_hz"])
        self.soft_us = max(self.SOFT_US, 2 * self.period_us)
        self.run_id = os.urandom(16).hex()
        self.bridge_state, self.armed = "IDLE", False
        self.epoch = 1 + int.from_bytes(os.urandom(3), "big")  # another at every start
        self.counters = dict.fromkeys(("received", "applied", "late", "too_early", "superseded", "rejected"), 0)
        self._lease: Optional[_Lease] = None
        self._peers: Dict[bytes, _Peer] = {}
        self._seq = {"control": 0, "observation": 0, "telemetry": 0}
        self._observation_seq = self._last_action_seq = self._rejects = self._action_us = self._sent_us = 0
        self._queue: List[_Step] = []
        self._target: Optional[np.ndarray[Any, Any]] = None
        self._applied: Optional[Message] = None
        self._episode = {"id": 0, "step": 0}
        self._reading: Optional[Reading] = None
        self._reported: Dict[str, int] = {}  # events of this second by cause
        self._authorized_path = authorized_keys
        self._authorized = None if keys is None else _read_authorized_keys(authorized_keys)
        self._poller = zmq.Poller()
        self._context = zmq.Context()
        try:
            self._bind_all(address, keys)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self.address = self._control.getsockopt_string(zmq.LAST_ENDPOINT)

    def run(self) -> None:
        """Serves until an exception such as KeyboardInterrupt ends it; the robot is then at rest."""
        next_tick = next_second = _now_us()
        try:
            while True:
                self._answer_zap()
                self._drain(self._control, self._handle_control)
                self._drain(self._action, self._handle_action)
                now = _now_us()
                self._watch(now)
                if now >= next_second:
                    next_second = now + 1_000_000
                    self._each_second(now)
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
        try:
            self.robot.stop("safe")
        finally:
            for peer in list(self._peers):
                self._reply(peer, {"kind": "bye", "reason": "the robot side ends"})
            self._context.destroy(linger=200)

    # who may connect

    def _bind_all(self, address: str, keys: Optional[Keys]) -> None:
        curve: Dict[int, Any] = {}
        if keys is not None:
            self._zap: zmq.Socket[bytes] = self._context.socket(zmq.REP)  # before the others: without it libzmq lets any key in
            self._zap.bind("inproc://zeromq.zap.01")
            self._poller.register(self._zap, zmq.POLLIN)
            curve = {zmq.CURVE_SERVER: 1, zmq.CURVE_SECRETKEY: keys.secret.encode()}
            curve.update({zmq.ZAP_DOMAIN: b"armature", zmq.ZAP_ENFORCE_DOMAIN: 1})
        # RCVHWM 0: libzmq 4.3.5 aborts the process when a receiving queue is full and that peer goes away.
        common = {**curve, zmq.RCVHWM: 0}
        router = {**common, zmq.ROUTER_MANDATORY: 1, zmq.MAXMSGSIZE: _MAX_COMMAND_BYTES, zmq.SNDHWM: 100}
        self._control = _make_socket(self._context, zmq.ROUTER, router)
        self._action = _make_socket(self._context, zmq.ROUTER, router)
        self._observation = _make_socket(self._context, zmq.PUB, {**common, zmq.SNDHWM: 4})
        self._telemetry = _make_socket(self._context, zmq.PUB, {**common, zmq.SNDHWM: 256})
        self._control.bind(address)
        for socket in (self._action, self._observation, self._telemetry):
            socket.bind(f"{address.rpartition(':')[0]}:*")
        for socket in (self._control, self._action):
            self._poller.register(socket, zmq.POLLIN)

    def _answer_zap(self) -> None:
        """libzmq asks for each new connection (ZeroMQ RFC 27). The key goes back as User-Id, which every message of the connection has."""
        while self._authorized is not None and self._zap.poll(0):
            version, request, _, address, _, mechanism, *credentials = self._zap.recv_multipart()
            key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" else ""
            try:
                self._admit(key)
                answer = [b"200", b"OK", key.encode(), b""]
            except BridgeError as error:
                self._report("security", error.code, f"{address.decode()} was refused: {error.text}")
                answer = [b"400", error.text.encode(), b"", b""]
            self._zap.send_multipart([version, request, *answer])

    def _each_second(self, now: int) -> None:
        """Metrics; the list of keys as it is now; clients that are shut out or silent."""
        self._publish({"kind": "metrics", "counters": {f"actions_{k}": n for k, n in self.counters.items()}, "values": {}})
        self._reported.clear()
        if self._authorized is not None:
            try:
                self._authorized = _read_authorized_keys(self._authorized_path)
            except (OSError, ValueError) as error:
                self._report("security", "internal", f"the list of keys cannot be read, and stays as it was: {type(error).__name__}")
        for peer, client in list(self._peers.items()):
            if self.mode != "lockstep" and now - client.seen_us > self.IDLE_US:
                self._forget(peer, "controller_lost", f"{client.name} was silent")
                continue
            try:
                self._admit(client.user, client.role)
            except BridgeError as error:
                self._report("security", error.code, f"{client.name} was shut out: {error.text}")
                self._forget(peer, "controller_lost", error.text)

    def _admit(self, user: str, role: str = "observer") -> str:
        """The name of a key that may act in `role`; empty where there are no keys. Raises BridgeError."""
        if self._authorized is None:
            return ""
        key = self._authorized.get(user)
        if key is None:
            raise BridgeError("unauthorized", "unknown key")
        _require(time.time() < key.expires_s, "unauthorized", f"the key of {key.name} has expired")
        is_covered = _ROLES.index(role) <= _ROLES.index(key.role)
        _require(is_covered, "role_forbidden", f"the key of {key.name} is for the role {key.role}, not {role}")
        return key.name

    def _forget(self, peer: bytes, code: str, text: str) -> None:
        self._peers.pop(peer)
        if self._lease is not None and self._lease.peer == peer:
            self._drop("SAFE_STOP" if self.bridge_state in ("ACTIVE", "HOLD") else "IDLE", code, text)

    def _drain(self, socket: zmq.Socket[bytes], handle: Handler) -> None:
        """Reads what is there, at most 100 messages so that a flood cannot stop the loop."""
        for _ in range(100):
            try:
                routing, *parts = socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            peer, seq = bytes(routing.buffer), None
            try:
                _require(len(parts) == 1, "decode_failed", "a message has one part")
                message = decode_message(parts[0].bytes, _MAX_COMMAND_BYTES)
                seq = message["seq"]
                handle(peer, "" if self._authorized is None else str(parts[0].get("User-Id")), message)
            except BridgeError as error:
                self._refuse(peer, error, seq, socket)
            except (KeyError, TypeError, ValueError, AttributeError, zmq.ZMQError) as error:  # a field that is missing or of another type
                self._refuse(peer, BridgeError("decode_failed", f"a field is wrong: {type(error).__name__}"), seq, socket)

    def _refuse(self, peer: bytes, error: BridgeError, seq: Optional[int], socket: zmq.Socket[bytes]) -> None:
        client = self._peers.get(peer)
        if client is not None or socket is self._control:
            self._reply(peer, {"kind": "error", "code": error.code, "text": error.text, "ref_seq": seq})
        is_security = error.code in ("unauthorized", "role_forbidden")
        name = "a client" if client is None else client.name
        self._report("security" if is_security else "reject", error.code, f"{name}: {error.text}")

    # control socket

    def _handle_control(self, peer: bytes, user: str, message: Message) -> None:
        kind = message["kind"]
        if kind == "hello":
            self._hello(peer, user, message)
            return
        client = self._client(peer, user, message)
        if kind == "ping":
            if self._lease is not None and self._holds(peer, message):
                self._lease.seen_us = client.seen_us
            times = {"t1_us": message["t1_us"], "t2_us": client.seen_us, "t3_us": _now_us()}
            self._reply(peer, {"kind": "pong", "ref_seq": message["seq"], **times})
        elif kind == "lease_request":
            self._grant(peer, client, message)
        elif kind == "command":
            self._command(peer, client, message)
        elif kind == "bye":
            self._forget(peer, "controller_lost", f"{client.name} said goodbye")
        else:
            raise BridgeError("unknown_kind", f"{kind} is not for a robot")

    def _client(self, peer: bytes, user: str, message: Message) -> _Peer:
        """Who sent a message; with keys, the connection that it came by must have the key of the one who said hello."""
        client = self._peers.get(peer)
        if client is None or client.session != message["session"] or client.user != user:
            raise BridgeError("unauthorized", "say hello first")
        client.seen_us = _now_us()
        return client

    def _hello(self, peer: bytes, user: str, message: Message) -> None:
        protocols = message["protocols"]
        _require(any(version.split(".")[0] == "1" for version in protocols), "version_unsupported", f"this robot speaks {_VERSION}")
        role = message["role"]
        _require(isinstance(role, str) and role in _ROLES, "role_forbidden", "an unknown role")
        name = self._admit(user, role) or str(message["name"])[:64]  # with keys a client cannot choose whose name is in the events
        _require(not user or message.get("public_key") in (None, user), "unauthorized", f"this connection has the key of {name}")
        digests = {"observation_digest": observation_digest(self.schema), "action_digest": action_digest(self.schema)}
        for field, digest in digests.items():
            is_same = message.get(field) in (None, digest)
            _require(is_same, "schema_mismatch", f"{field.replace('_', ' ')}: trained for {message.get(field)}, this robot has {digest}")
        client = self._peers.get(peer)
        if client is None:
            _require(len(self._peers) < self.MAX_PEERS, "busy", f"{len(self._peers)} clients are connected already")
            client = self._peers[peer] = _Peer(os.urandom(16).hex(), name, role, user, _now_us())
        _require((client.role, client.user) == (role, user), "seq_replay", "this connection has said hello as someone else")
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
            "watchdogs": {"soft_us": self.soft_us, "hard_us": self.HARD_US, "lease_us": self.HEARTBEAT_US, "max_lead_us": self.MAX_LEAD_US},
            "endpoints": {key: socket.getsockopt_string(zmq.LAST_ENDPOINT) for key, socket in sockets.items()},
            "max_message_bytes": _MAX_COMMAND_BYTES,
            "insecure": self.is_insecure,
        })  # fmt: skip

    def _grant(self, peer: bytes, client: _Peer, message: Message) -> None:
        _require(_is_count(message.get("ttl_ms")), "decode_failed", "ttl_ms is a whole number")
        _require(client.role != "observer", "role_forbidden", "an observer cannot hold the lease")
        _require(self.bridge_state != "SAFE_STOP", "fault_latched", "an operator must clear the stop")
        if self._lease is not None and self._lease.peer != peer:
            is_gone = _now_us() - self._lease.seen_us > self._lease.ttl_us  # only seen here in lock-step, which has no watchdog
            may_preempt = message.get("preempt") and client.role == "operator"
            _require(is_gone or may_preempt, "lease_denied", "another client holds the lease")
            self._drop("IDLE", "lease_preempted")
            _require(self.bridge_state == "IDLE", "fault_latched", "an operator must clear the stop")
        if self._lease is None:
            self._last_action_seq = 0
            self._go("READY", "lease_granted")
        ttl_us = 1000 * min(int(message["ttl_ms"]), 10_000)
        token = os.urandom(16).hex() if self._lease is None else self._lease.token
        self._lease = _Lease(token, peer, ttl_us, _now_us())
        self._reply(peer, {"kind": "lease", "ref_seq": message["seq"], "lease": token, "ttl_ms": ttl_us // 1000})

    def _command(self, peer: bytes, client: _Peer, message: Message) -> None:
        command, is_operator, state = message.get("command"), client.role == "operator", self.bridge_state
        is_latched = state == "SAFE_STOP"
        content: Message = {}
        if command == "clear":
            _require(is_operator, "role_forbidden", "only an operator can clear a stop")
            _require(is_latched, "busy", f"nothing to clear in {state}")
        elif not (self._holds(peer, message) or (is_operator and command in ("stop", "arm"))):
            raise BridgeError("fault_latched" if is_latched else "lease_denied", "this needs the lease")
        if command == "arm":
            _require(state == "READY", "busy", f"cannot arm in {state}")
            self.armed = True
        elif command == "start":
            _require(state == "READY", "busy", f"cannot start in {state}")
            _require(self.armed, "not_armed", "the robot is not armed")
            if self._reading is None:
                self._observe()
            _require(self._reading is not None, "internal", "the robot shows nothing")
            _require(message.get("mode") in (None, self.mode), "busy", f"this robot runs in {self.mode}")
            self._action_us, self._rejects = _now_us(), 0
            self._go("ACTIVE", "started")
        elif command == "pause":
            self._end("READY", command)
        elif command == "reset":
            _require(self.armed, "not_armed", "a reset moves the robot: arm it first")
            self._end("READY", command)
            content["observation"] = self._reset(message)
        elif command == "stop" and message.get("category") == "safe":
            self._drop("SAFE_STOP", "stopped")
        elif command == "stop" and not is_latched:
            self.armed = False
            self._end("IDLE" if self._lease is None else "READY", "stopped")
        elif command in ("release", "clear"):
            self._drop("IDLE", "cleared" if command == "clear" else "lease_released")
        elif command != "stop":
            raise BridgeError("decode_failed", "an unknown command")
        if self._lease is not None and self._holds(peer, message):
            self._lease.seen_us = _now_us()
        self._reply(peer, {"kind": "ack", "ref_seq": message["seq"], "command": command, **content})

    def _reset(self, message: Message) -> Message:
        seed, options = message.get("seed"), message.get("options") or {}
        _require(isinstance(seed, (int, type(None))) and isinstance(options, dict), "decode_failed", "seed is an integer, options a map")
        reading = None if self.bridge_state == "SAFE_STOP" else self._run_robot(lambda: self.robot.reset(seed, options))
        if reading is None:
            raise BridgeError("internal", "the robot failed, and is stopped")
        self._episode = {"id": self._episode["id"] + 1, "step": 0}
        self._applied = None
        self._observation_seq += 1
        self._reading = reading
        return self._content(reading)

    def _holds(self, peer: bytes, message: Message) -> bool:
        token = message.get("lease")
        return self._lease is not None and self._lease.peer == peer and isinstance(token, str) and self._lease.token == token

    # action socket

    def _handle_action(self, peer: bytes, user: str, message: Message) -> None:
        self._client(peer, user, message)
        is_chunk = message["kind"] == "chunk"
        _require(is_chunk or message["kind"] == "action", "unknown_kind", "only actions come here")
        actions = message.get("actions" if is_chunk else "action")
        count = len(actions) if is_chunk and isinstance(actions, np.ndarray) and actions.ndim > 0 else 1
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
        if self._lease is None or not self._holds(peer, message):
            raise BridgeError("lease_expired", "no lease, or not this one")
        is_over = self._reading is not None and (self._reading.terminated or self._reading.truncated)
        _require(not is_over, "busy", "the episode is over: reset")
        _require(message["epoch"] == self.epoch, "epoch_stale", f"epoch {message['epoch']}; now {self.epoch}")
        _require(message["seq"] > self._last_action_seq, "seq_replay", "an action that came before")
        self._last_action_seq = message["seq"]
        _require(self.bridge_state in ("ACTIVE", "HOLD"), "not_armed", "the robot is not started")
        try:
            steps = self._steps(message, actions)
        except BridgeError as error:
            self._rejects += error.code not in ("late", "too_early")
            if self._rejects >= self.MAX_REJECTS:
                self._drop("SAFE_STOP", "too_many_rejects")
            raise
        self._rejects = 0
        self._action_us = self._lease.seen_us = _now_us()
        if self.bridge_state == "HOLD":
            self._go("ACTIVE", "resumed")
        return steps

    def _steps(self, message: Message, actions: Any) -> List[_Step]:
        if not isinstance(actions, np.ndarray) or actions.dtype != np.float32:
            raise BridgeError("bad_dtype", "actions are float32 arrays")
        is_chunk = message["kind"] == "chunk"
        rows = actions if is_chunk else actions[None]
        _require(rows.ndim == 2 and rows.shape[0] > 0 and rows.shape[1:] == self.low.shape, "bad_shape", f"{list(actions.shape)}")
        _require(np.isfinite(rows).all(), "not_finite", "NaN or infinity")
        now = _now_us()
        first, ttl_us = message.get("start_us" if is_chunk else "due_us"), message.get("ttl_us")
        step_us = message.get("step_us") if is_chunk else 0
        _require(all(map(_is_count, (first, step_us, ttl_us))), "decode_failed", "times are whole microseconds")
        first, ttl_us, step_us = int(first or now), int(ttl_us or self.soft_us), int(step_us or 0)
        _require(first + (len(rows) - 1) * step_us + ttl_us >= now, "late", "its time is over")
        _require(first - now <= self.MAX_LEAD_US, "too_early", "due too far ahead")
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
            self._publish_observation(self._reading)  # again: a subscriber that joined late must not wait for ever

    def _tick(self, now: int) -> None:
        due = [step for step in self._queue if step.due_us <= now]
        self._queue = self._queue[len(due) :]
        self.counters["superseded"] += max(0, len(due) - 1)
        self._applied = None
        target = self._target
        if due and due[-1].until_us >= now:
            self._apply(due[-1], now - due[-1].due_us)
        elif self.bridge_state == "ACTIVE" and target is not None:
            self._run_robot(lambda: self.robot.apply(target.copy()))  # until the soft watchdog holds
        elif self.bridge_state == "HOLD":
            self._run_robot(lambda: self.robot.stop("hold"))
        self.counters["late"] += bool(due and due[-1].until_us < now)
        self._observe()

    def _apply(self, step: _Step, late_us: int) -> None:
        action = np.clip(step.action, self.low, self.high)
        clamped = int((action != step.action).any())
        if self.max_step is not None:
            start = self._start_of_motion() if self._target is None else self._target
            near = np.clip(action, start - self.max_step, start + self.max_step)
            clamped |= 2 * int((near != action).any())
            action = near
        if not np.isfinite(action).all():  # the limits of what is no number are none
            self._drop("SAFE_STOP", "internal", "the robot does not know where it is")
            return
        self._target = action
        self.counters["applied"] += 1
        self._episode["step"] += 1
        self._applied = {"seq": step.seq, "observation_seq": step.observation_seq, "action": action, "clamped": clamped, "late_us": late_us}
        self._run_robot(lambda: self.robot.apply(action.copy()))

    def _start_of_motion(self) -> np.ndarray[Any, Any]:
        if not self._begins_measured or self._reading is None:  # it has one, or was not started
            return np.zeros_like(self.low)
        return np.asarray(self._reading.proprio, dtype=np.float32)[self._measured]

    def _run_robot(self, call: Callable[[], Result]) -> Optional[Result]:
        try:
            return call()
        except Exception as error:  # whatever a driver raises, the robot must come to rest and the bridge stay up
            if self.bridge_state != "SAFE_STOP":
                self._drop("SAFE_STOP", "internal", f"the robot failed: {type(error).__name__}")
            return None

    def _watch(self, now: int) -> None:
        lease = self._lease
        if lease is None or self.mode == "lockstep":
            return  # in lock-step time stands still while a policy thinks or learns
        moving, silent = self.bridge_state in ("ACTIVE", "HOLD"), now - lease.seen_us
        gap = now - self._action_us
        if moving and gap > self.HARD_US:
            self._drop("SAFE_STOP", "hard_watchdog")
        elif silent > lease.ttl_us or (not moving and silent > self.HEARTBEAT_US):
            self._drop("SAFE_STOP" if moving else "IDLE", "lease_expired")
        elif self.bridge_state == "ACTIVE" and gap > self.soft_us:
            if self._halt("hold"):
                self._go("HOLD", "soft_watchdog")
            else:
                self._drop("SAFE_STOP", "internal")

    def _drop(self, state: str, code: str, text: str = "") -> None:
        """Takes lease and arming away."""
        self._lease, self.armed = None, False
        self._end(state, code, text)

    def _end(self, state: str, code: str, text: str = "") -> None:
        """Comes to rest in a new epoch: nothing that is on its way counts any more."""
        self.epoch += 1
        if not self._halt("safe" if state == "SAFE_STOP" else "hold"):
            state, text, self._lease, self.armed = "SAFE_STOP", f"{code}, and the robot does not stop when told to", None, False
        self._go(state, code, text)

    def _halt(self, category: str) -> bool:
        self.counters["superseded"] += len(self._queue)
        self._queue, self._target = [], None
        try:
            self.robot.stop(category)
            return True
        except Exception:  # whatever a driver raises; the caller latches the stop
            return False

    def _go(self, state: str, code: str, text: str = "") -> None:
        before, self.bridge_state = self.bridge_state, state
        self._publish({"kind": "event", "event": "state", "code": code, "text": text or code, "from_state": before, "to_state": state})

    # what it tells

    def _observe(self) -> None:
        reading = self._run_robot(self.robot.read)
        if reading is not None:
            self._reading = reading
            self._observation_seq += 1
            self._publish_observation(reading)

    def _publish_observation(self, reading: Reading) -> None:
        self._sent_us = _now_us()
        self._observation.send(self._encode("observation", {"kind": "observation", **self._content(reading)}, self.run_id))

    def _content(self, reading: Reading) -> Message:
        return {
            "observation_seq": self._observation_seq,
            "capture_us": _now_us() - reading.age_us,
            "stale": False,
            "proprio": np.asarray(reading.proprio, dtype=np.float32),
            "state": np.asarray(reading.state, dtype=np.float32),
            "images": {key: {"encoding": "raw", "pixels": np.asarray(image, dtype=np.uint8)} for key, image in reading.images.items()},
            "extras": {key: np.asarray(array) for key, array in reading.extras.items()},
            "reward": float(reading.reward),
            "terminated": bool(reading.terminated),
            "truncated": bool(reading.truncated),
            "info": {key: float(x) for key, x in reading.info.items()},
            "episode": dict(self._episode),
            "applied": self._applied,
            "health": {"dropped": 0, "rejected": self.counters["rejected"], "queue_length": len(self._queue)},
        }

    def _report(self, event: str, code: str, text: str) -> None:
        """An event; of each cause some each second, so that a flood of refusals is not answered by one of events."""
        count = self._reported[code] = self._reported.get(code, 0) + 1
        if count <= self.EVENTS_PER_S:
            self._publish({"kind": "event", "event": event, "code": code, "text": text})

    def _reply(self, peer: bytes, message: Message) -> None:
        client = self._peers.get(peer)
        try:
            self._control.send_multipart([peer, self._encode("control", message, "" if client is None else client.session)], zmq.NOBLOCK)
        except zmq.ZMQError:
            pass  # it is gone, or reads nothing: the watchdogs and IDLE_US see to it

    def _publish(self, message: Message) -> None:
        self._telemetry.send(self._encode("telemetry", message, self.run_id))

    def _encode(self, socket: str, message: Message, session: str) -> bytes:
        self._seq[socket] += 1
        header = {"session": session, "seq": self._seq[socket], "time_us": _now_us(), "epoch": self.epoch}
        return encode_message({**header, "bridge_state": self.bridge_state, "armed": self.armed, **message})


# --- gymnasium --------------------------------------------------------------------------------------------------------

try:
    import gymnasium
except ImportError:
    pass
else:

    class ArmatureEnv(gymnasium.Env[Message, Any]):
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
            self._goal: Any = None

        def reset(self, *, seed: Optional[int] = None, options: Optional[Dict[str, Any]] = None) -> Tuple[Message, Message]:
            super().reset(seed=seed)
            if self.robot.bridge_state == "IDLE":
                self.robot.lease(ttl_ms=10_000)
            if not self.robot.armed:
                self.robot.arm()
            self._last = self.robot.reset(seed, options)
            self._goal = (self._last["goal"] or {}).get("state")
            self.robot.start()
            return self._content(), dict(self._last["info"])

        def step(self, action: Any) -> Tuple[Message, float, bool, bool, Message]:
            self._last = last = self.robot.step(action, self._last)
            return self._content(), float(last["reward"]), last["terminated"], last["truncated"], dict(last["info"])

        def close(self) -> None:
            self.robot.close()

        def _content(self) -> Message:
            content = {key: self._goal if key == "goal" else self._last[key] for key in self._vectors}
            return {**content, **{name: self._last["images"][name]["pixels"] for name in self._cameras}}

    def _box(vector: Message) -> gymnasium.spaces.Box:
        low, high = (np.asarray(vector[key], dtype=vector["dtype"]).reshape(vector["shape"]) for key in ("low", "high"))
        return gymnasium.spaces.Box(low, high, tuple(vector["shape"]), np.dtype(vector["dtype"]).type)
