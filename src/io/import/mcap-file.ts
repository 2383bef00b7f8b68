import { createRequire } from 'node:module'
import type { FileHandle } from 'node:fs/promises'
import { parse as parseRosMessage } from '@foxglove/rosmsg'
import { MessageReader } from '@foxglove/rosmsg2-serialization'
import { McapIndexedReader } from '@mcap/core'
import { decompress as unpackZstd } from 'fzstd'
import protobuf from 'protobufjs'
import 'protobufjs/ext/descriptor.js'
import { openRegularFile } from '../contained-files.ts'

/** Of a chunk or a message, unpacked: what a damaged size must not exceed. */
const MAX_CHUNK_BYTES = 2 ** 30

/** Fields of a decoded message. */
export type Fields = Readonly<Record<string, unknown>>

/** A series of messages of one kind. */
export interface Topic {
  readonly name: string
  /** e.g. `sensor_msgs/msg/JointState` or `foxglove.CompressedImage`. */
  readonly schema: string
  readonly decode: (bytes: Uint8Array) => Fields
}

/** One message. */
export interface TopicMessage {
  readonly topic: string
  /** When it was logged, in nanoseconds. */
  readonly timeNs: bigint
  readonly bytes: Uint8Array
}

/** An MCAP file and its topics; ROS 2 (CDR), protobuf and JSON messages are decoded. */
export class McapFile {
  readonly topics: ReadonlyMap<string, Topic>
  /** Topics whose messages cannot be decoded, a line each. */
  readonly problems: readonly string[]
  readonly #file: FileHandle
  readonly #reader: McapIndexedReader

  private constructor(file: FileHandle, reader: McapIndexedReader) {
    this.#file = file
    this.#reader = reader
    const topics = new Map<string, Topic>()
    const problems: string[] = []
    for (const { topic, schemaId, messageEncoding } of reader.channelsById.values()) {
      const schema = reader.schemasById.get(schemaId)
      try {
        const decode = decoderOf(messageEncoding, schema)
        topics.set(topic, { name: topic, schema: schema?.name ?? '', decode })
      } catch (error) {
        problems.push(`topic ${topic}: ${(error as Error).message}`)
      }
    }
    this.topics = topics
    this.problems = problems
  }

  /** @throws ArmatureError `not-found`; Error of the reader for a damaged file. */
  static async open(path: string): Promise<McapFile> {
    const { file, size } = await openRegularFile(path)
    try {
      const readable = {
        size: () => Promise.resolve(BigInt(size)),
        read: async (start: bigint, length: bigint): Promise<Uint8Array> => {
          if (start + length > BigInt(size)) throw new Error('the file ends too early')
          const bytes = new Uint8Array(Number(length))
          await file.read(bytes, 0, bytes.length, Number(start))
          return bytes
        },
      }
      return new McapFile(file, await McapIndexedReader.Initialize({ readable, decompressHandlers: await unpackers() }))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Messages of `topics` in the order of their times. */
  async *messages(topics: readonly string[], startNs?: bigint, endNs?: bigint): AsyncGenerator<TopicMessage> {
    const range = {
      ...(startNs !== undefined && { startTime: startNs }),
      ...(endNs !== undefined && { endTime: endNs }),
    }
    for await (const { channelId, logTime, data } of this.#reader.readMessages({ topics: [...topics], ...range })) {
      yield { topic: this.#reader.channelsById.get(channelId)!.topic, timeNs: logTime, bytes: data }
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

type Unpacker = (packed: Uint8Array, size: bigint) => Uint8Array

async function unpackers(): Promise<Record<string, Unpacker>> {
  const lz4 = createRequire(import.meta.url)('@foxglove/wasm-lz4') as {
    (packed: Uint8Array, size: number): Uint8Array
    readonly isLoaded: Promise<unknown>
  }
  await lz4.isLoaded
  const checked = (unpack: (packed: Uint8Array, size: number) => Uint8Array): Unpacker => {
    return (packed, size) => {
      if (size > BigInt(MAX_CHUNK_BYTES)) throw new Error(`a chunk of ${size} bytes`)
      return unpack(packed, Number(size))
    }
  }
  return { zstd: checked((packed) => unpackZstd(packed)), lz4: checked(lz4) }
}

function decoderOf(
  encoding: string,
  schema: { readonly name: string; readonly encoding: string; readonly data: Uint8Array } | undefined,
): Topic['decode'] {
  if (encoding === 'json') return (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as Fields
  if (encoding === 'cdr' && schema?.encoding === 'ros2msg') {
    const reader = new MessageReader(parseRosMessage(new TextDecoder().decode(schema.data), { ros2: true }))
    return (bytes) => reader.readMessage(bytes)
  }
  if (encoding === 'protobuf' && schema?.encoding === 'protobuf') {
    // Added by the extension, whose types do not say so.
    const roots = protobuf.Root as unknown as { fromDescriptor(bytes: Uint8Array): protobuf.Root }
    const type = roots.fromDescriptor(schema.data).lookupType(schema.name)
    return (bytes) => type.toObject(type.decode(bytes), { longs: Number, defaults: true })
  }
  throw new Error(`messages of encoding ${encoding} with a schema of ${schema?.encoding ?? 'none'} are not read`)
}
