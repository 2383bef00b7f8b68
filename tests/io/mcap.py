"""Reads an MCAP file with Google's protobuf and nothing of the writer's: prints {topic: [[log time, fields], ...]} as JSON."""

import base64
import json
import struct
import sys
import zlib

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def records(data):
    at = 0
    while at < len(data):
        op, length = struct.unpack_from("<BQ", data, at)
        yield op, data[at + 9 : at + 9 + length]
        at += 9 + length


def text(data, at):
    (length,) = struct.unpack_from("<I", data, at)
    return data[at + 4 : at + 4 + length].decode(), at + 4 + length


schemas, channels, topics = {}, {}, {}


def read(op, data):
    if op == 3:
        (number,) = struct.unpack_from("<H", data)
        name, at = text(data, 2)
        encoding, at = text(data, at)
        assert encoding == "protobuf", encoding
        files = descriptor_pb2.FileDescriptorSet.FromString(data[at + 4 :])
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        schemas[number] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    elif op == 4:
        number, schema = struct.unpack_from("<HH", data)
        channels[number] = (text(data, 4)[0], schemas[schema])
    elif op == 5:
        number, _, time, _ = struct.unpack_from("<HIQQ", data)
        topic, message = channels[number]
        fields = json_format.MessageToDict(
            message.FromString(data[22:]), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        topics.setdefault(topic, []).append([time, fields])
    elif op == 6:
        (crc,) = struct.unpack_from("<I", data, 24)
        compression, at = text(data, 28)
        assert compression == "", compression
        inner = data[at + 8 :]
        assert zlib.crc32(inner) == crc
        for record in records(inner):
            read(*record)


file = open(sys.argv[1], "rb").read()
assert file[:8] == file[-8:] == b"\x89MCAP0\r\n"
for record in records(file[8:-8]):
    if record[0] == 15:
        break
    read(*record)
for _, fields in [entry for entries in topics.values() for entry in entries]:
    if "format" in fields:
        assert base64.b64decode(fields["data"])[:8] == b"\x89PNG\r\n\x1a\n"
print(json.dumps(topics))
