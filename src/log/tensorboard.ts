import type { Metrics } from '../core/ndarray.ts'
import { AppendFile } from './append-file.ts'
import { maskedCrc32c } from './crc32c.ts'
import type { Clock, LogSink, LoggedImage } from './sink.ts'

/** How TensorBoard recognises an event file. */
export const EVENT_FILE_PREFIX = 'events.out.tfevents.'

// Tag bytes of the protobuf fields used here: field number << 3 | wire type (0 varint, 1 double, 2 bytes, 5 float).
const EVENT_WALL_TIME = 0x09
const EVENT_STEP = 0x10
const EVENT_FILE_VERSION = 0x1a
const EVENT_SUMMARY = 0x2a
const SUMMARY_VALUE = 0x0a
const VALUE_TAG = 0x0a
const VALUE_SIMPLE = 0x15
const VALUE_IMAGE = 0x22
const IMAGE_HEIGHT = 0x08
const IMAGE_WIDTH = 0x10
const IMAGE_COLORSPACE = 0x18
const IMAGE_ENCODED = 0x22
const COLORSPACE_RGB = 3

/**
 * A TensorBoard event file: TFRecords (length, masked CRC, data, masked CRC; little-endian) of `Event` protobufs. All scalars of
 * one call share one event; metric names are the tags, as they are.
 */
export class TensorBoardSink implements LogSink {
  readonly #file: AppendFile
  readonly #clock: Clock

  /** @throws ArmatureError as {@link AppendFile}. */
  constructor(path: string, clock: Clock, keepBytes = 0) {
    this.#file = new AppendFile(path, keepBytes)
    this.#clock = clock
    if (keepBytes === 0) this.#write(0, EVENT_FILE_VERSION, Buffer.from('brain.Event:2'))
  }

  scalars(step: number, metrics: Metrics): void {
    const values = Object.entries(metrics).map(([name, value]) => {
      const simple = Buffer.alloc(5)
      simple[0] = VALUE_SIMPLE
      simple.writeFloatLE(value, 1)
      return field(SUMMARY_VALUE, Buffer.concat([field(VALUE_TAG, Buffer.from(name)), simple]))
    })
    if (values.length > 0) this.#write(step, EVENT_SUMMARY, Buffer.concat(values))
  }

  image(step: number, name: string, { png, width, height }: LoggedImage): void {
    const image = Buffer.concat([
      Uint8Array.of(IMAGE_HEIGHT, ...varint(height)),
      Uint8Array.of(IMAGE_WIDTH, ...varint(width)),
      Uint8Array.of(IMAGE_COLORSPACE, COLORSPACE_RGB),
      field(IMAGE_ENCODED, png),
    ])
    const value = Buffer.concat([field(VALUE_TAG, Buffer.from(name)), field(VALUE_IMAGE, image)])
    this.#write(step, EVENT_SUMMARY, field(SUMMARY_VALUE, value))
  }

  sync(): { file: string; bytes: number } {
    return this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }

  #write(step: number, tag: number, content: Uint8Array): void {
    const time = Buffer.alloc(9)
    time[0] = EVENT_WALL_TIME
    time.writeDoubleLE(this.#clock() / 1000, 1)
    const event = Buffer.concat([time, Uint8Array.of(EVENT_STEP, ...varint(step)), field(tag, content)])
    this.#file.append(record(event))
  }
}

function record(data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + data.length + 4)
  bytes.writeBigUInt64LE(BigInt(data.length), 0)
  bytes.writeUInt32LE(maskedCrc32c(bytes.subarray(0, 8)), 8)
  bytes.set(data, 12)
  bytes.writeUInt32LE(maskedCrc32c(data), 12 + data.length)
  return bytes
}

function field(tag: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag, ...varint(content.length)), content])
}

/** Base-128 digits, lowest first; steps may exceed 32 bits, so no shifts. */
function varint(value: number): number[] {
  const digits: number[] = []
  let rest = value
  while (rest >= 128) {
    digits.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return [...digits, rest]
}
