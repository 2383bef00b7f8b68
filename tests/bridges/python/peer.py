"""The other end of the interop tests: `peer.py COMMAND`, answers on standard output."""

import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "bridges", "python"))

import msgpack
import numpy as np

import armature_bridge as bridge


def frames(data):
    """Messages with their length before them, four bytes, little-endian."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def write(data):
    sys.stdout.buffer.write(struct.pack("<I", len(data)) + data)


def echo():
    for frame in frames(sys.stdin.buffer.read()):
        write(bridge.encode_message(bridge.decode_message(frame)))


def arrays():
    """Every layout that numpy has, in one observation."""
    grid = np.arange(20, dtype="<i4").reshape(4, 5)
    extras = {
        "strided": grid[::2, ::2],
        "reversed": grid[::-1, 0],
        "fortran": np.asfortranarray(grid[:2, :2]),
        "transposed": grid[:2, :3].T,
        "big_endian": np.array([1.5, -2.0], dtype=">f8"),
        "big_endian_int": np.array([-(2**63), 2**63 - 1], dtype=">i8"),
        "scalar": np.array(7, dtype="<u2"),
        "empty": np.zeros((0, 3), dtype="<f4"),
        "flags": np.array([True, False]),
        "nan": np.array([0x7FC00001, 0xFF800001, 0x80000000], dtype="<u4").view("<f4"),
    }
    top = np.zeros((2, 3, 3), dtype=np.uint8)
    top[0, 1] = [255, 0, 0]
    message = {
        "kind": "observation", "session": "s", "seq": 1, "time_us": 2**53 - 1, "epoch": 1, "bridge_state": "HOLD", "armed": False,
        "observation_seq": 1, "capture_us": np.int64(5), "stale": False, "proprio": np.zeros(2, np.float32), "state": np.zeros(0, np.float32),
        "images": {"top": {"encoding": "raw", "pixels": top[:, ::-1][:, ::-1]}}, "extras": extras, "reward": np.float32(0.5),
        "terminated": False, "truncated": False, "info": {}, "episode": {"id": 0, "step": 0}, "applied": None,
        "health": {"dropped": 0, "rejected": 0, "queue_length": 0},
    }  # fmt: skip
    write(bridge.encode_message(message))


def foreign():
    """Reads an observation with nothing of this project: the hook is the one of the README."""

    def hook(m):
        if "__ndarray__" in m:
            return np.ndarray(buffer=m["data"], dtype=np.dtype(m["dtype"]), shape=m["shape"])
        return m

    (frame,) = frames(sys.stdin.buffer.read())
    message = msgpack.unpackb(frame[4:], object_hook=hook)
    image = message["images"]["top"]["pixels"]
    print(json.dumps({
        "topic": frame[:4].decode(),
        "red": image[0, 0].tolist(),
        "proprio": message["proprio"].view(np.uint32).tolist(),
        "ticks": message["extras"]["ticks"].tolist(),
        "time_us": message["time_us"],
    }))  # fmt: skip


def refuse():
    """The error code for each frame, or `message`."""
    codes = []
    for frame in frames(sys.stdin.buffer.read()):
        try:
            bridge.decode_message(frame)
            codes.append("message")
        except bridge.BridgeError as error:
            codes.append(error.code)
    print(json.dumps(codes))


def numbers():
    print(json.dumps([bridge.canonical_json(x) for x in np.frombuffer(sys.stdin.buffer.read(), dtype="<f8").tolist()]))


def digests():
    (frame,) = frames(sys.stdin.buffer.read())
    schema = bridge.decode_message(frame)["schema"]
    print(json.dumps([bridge.observation_digest(schema), bridge.action_digest(schema)]))


def x25519():
    data = sys.stdin.buffer.read()
    print(json.dumps([bridge._x25519(data[i : i + 32], data[i + 32 : i + 64]).hex() for i in range(0, len(data), 64)]))


def keys():
    """What the key file at each argument's path is read as, or the error."""
    seen = []
    for argument in sys.argv[2:]:
        path = argument
        try:
            seen.append(bridge.Keys.read(path))
        except (ValueError, OSError) as error:
            seen.append(str(error).replace(path, "FILE"))
    print(json.dumps(seen))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
