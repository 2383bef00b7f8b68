"""Drive a robot across the Armature bridge from Python. To put a robot that Python controls behind it, see `armature_driver.py`.

Needs pyzmq, msgpack and numpy; `ArmatureEnv` is there where gymnasium can be imported. Top to bottom: messages, keys, client, Gymnasium env. The wire protocol is described in `bridges/protocol/README.md`; a message is a plain dict here, with the names that it has on
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
import io
import json
import os
import time
from collections import deque
from decimal import Decimal
from typing import Any, Deque, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import msgpack  # type: ignore[import-untyped]
import numpy as np
import zmq
from zmq.utils import z85

Message = Dict[str, Any]

# --- messages ---------------------------------------------------------------------------------------------------------

_LETTERS = {
    "hello": b"h", "welcome": b"w", "lease_request": b"q", "lease": b"l", "command": b"c", "ack": b"k", "error": b"x",
    "action": b"a", "chunk": b"t", "observation": b"o", "compressed_observation": b"j", "event": b"e", "metrics": b"m", "ping": b"p", "pong": b"r", "bye": b"b",
}  # fmt: skip
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_DTYPES = frozenset(["|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8", "<f4", "<f8", "|b1"])
_MAX_BYTES = 64 * 1024 * 1024
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
            if code in (0xCF, 0xD3):
                number = int.from_bytes(data[at : at + 8], "big", signed=code == 0xD3)
                _require(abs(number) < 2**53, "decode_failed", "a whole number beyond 2^53")
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


def _with_pixels(message: Message, cameras: Mapping[str, Any]) -> Message:
    """The observation with its JPEG images as pixels. Raises BridgeError for one that is none, or of another size or camera."""
    from PIL import Image  # only where it is asked for

    images: Message = {}
    for name, image in message["images"].items():
        shape = cameras.get(name, {}).get("shape")
        try:
            opened = Image.open(io.BytesIO(image["data"]), formats=["JPEG"])  # reads the header alone
            _require([opened.height, opened.width, 3] == shape, "bad_shape", f"an image of camera {name} of another size")
            pixels = np.array(opened.convert("RGB"))
        except BridgeError:
            raise
        except Exception:  # of many types, for what is no JPEG
            raise BridgeError("decode_failed", f"an image of camera {name} that is no JPEG") from None
        images[name] = {**{key: value for key, value in image.items() if key != "data"}, "encoding": "raw", "pixels": pixels}
    return {**message, "kind": "observation", "images": images}


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
        image_codec: str = "raw",
        timeout_s: float = 3.0,
    ) -> None:
        """Connects, and raises BridgeError if the robot refuses or does not answer for `timeout_s`. The digests are of what a policy was
        trained for; `policy` ({id, hash?, step?}) says in recordings what acted. `image_codec`: `jpeg` asks for camera images as JPEG, for
        which Pillow is needed; they are given out as pixels all the same."""
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
            hello.update(image_codec=image_codec)
            hello.update(observation_digest=observation_digest, action_digest=action_digest)
            if keys is not None and keys.robot is not None:
                hello.update(public_key=keys.public, key_proof=prove_key(keys.secret, keys.robot, routing_id))
            if not self._control.poll(int(timeout_s * 1000), zmq.POLLOUT):
                raise BridgeError("unauthorized", "no connection: is the robot there, and do the keys fit?")
            self.welcome = self._request(hello)
            self._session = self.welcome["session"]
            endpoints = {key: _seen_from(address, bound) for key, bound in self.welcome["endpoints"].items()}
            self._action = self._connect(zmq.DEALER, endpoints["action"], keys, {**dealer, zmq.SNDHWM: 2})
            is_jpeg = self.welcome.get("image_codec") == "jpeg"
            newest: Dict[int, Any] = {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b"rb1j" if is_jpeg else b"rb1o"}
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
                    return message if message["kind"] == "observation" else _with_pixels(message, self.schema["images"])
            if left <= 0:
                return None

    def act(self, action: Any, observation: Message, due_us: int = 0, ttl_us: int = 0) -> bool:
        """Sends the action that answers `observation`. False: there is no connection at the moment, and it was dropped. `due_us` is a time
        of the robot's clock (see `robot_time_us`), after which it counts for `ttl_us`; 0: at the next control tick, and no such limit."""
        body = {"kind": "action", "due_us": due_us, "ttl_us": ttl_us, "action": np.asarray(action, dtype=np.float32)}
        return self._send_action(body, observation)

    def chunk(
        self, actions: Any, observation: Message, start_us: int, step_us: int, ttl_us: int = 0, blend_us: Optional[int] = None
    ) -> bool:
        """Sends actions [steps, size] of which step k is due at `start_us + k step_us` by the robot's clock; a `start_us` of 0 is now. What it
        replaces fades into it for `blend_us`, or for as long as the robot does by itself."""
        body = {"kind": "chunk", "start_us": start_us, "step_us": step_us, "ttl_us": ttl_us, "blend_us": blend_us}
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
        if message["epoch"] < self.epoch and message["kind"] != "welcome":
            return  # sockets overtake each other
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
