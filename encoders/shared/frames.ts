import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { tf } from '../../src/tensor/tf.ts'

/** The part of the spec that encoders of single frames, learning from single frames, have in common. */
export const LEARNS_FROM_FRAMES = {
  batch: { kind: 'frames', options: {} },
  window: SINGLE_FRAME,
  takesContext: false,
} as const

/** Frames per program run of `encode` and `decode`; a shorter rest is padded, so that only two shapes are ever compiled. */
const CHUNK = 64

/** uint8 frames in [0, 1], minus the mean frame: what networks see, so that a static background costs them nothing. */
export function centred(frames: tf.Tensor, meanFrame: tf.Tensor): tf.Tensor {
  return tf.sub(tf.mul(tf.cast(frames, 'float32'), 1 / 255), meanFrame)
}

/** @throws ArmatureError `bad-shape` for frames that `spec` does not take. */
export function checkFrames({ name, frameShape }: EncoderSpec, { frames, count }: FrameBatch): void {
  const expected = count * sizeOf(frameShape)
  if (frames.length === expected) return
  throw new ArmatureError('bad-shape', `${name} frames`, {
    expected: `uint8 [${[count, ...frameShape].join(', ')}]`,
    got: `${frames.length} bytes`,
  })
}

/**
 * Latents [count, latentSize] of a batch, by a program from frames [rows, height, width, channels] to latents [rows, latentSize].
 * @throws ArmatureError `bad-shape` for frames that `spec` does not take.
 */
export async function encodeFrames(
  spec: EncoderSpec,
  input: EncoderInput,
  encode: (frames: NdArray) => Promise<NdArray>,
): Promise<Float32Array> {
  checkFrames(spec, input)
  const { latentSize, frameShape } = spec
  const latents = new Float32Array(input.count * latentSize)
  await inChunks(input.frames, input.count, async (data, rows, from) => {
    latents.set(valid(await encode(ndarray(data, [rows, ...frameShape])), input.count - from), from * latentSize)
  })
  return latents
}

/** Images uint8 [count, height, width, channels] of latents, by a program from latents [rows, latentSize] to images in [0, 255]. */
export async function decodeLatents(
  { latentSize, frameShape }: EncoderSpec,
  latents: Float32Array,
  count: number,
  decode: (latents: NdArray) => Promise<NdArray>,
): Promise<Uint8Array> {
  const imageSize = sizeOf(frameShape)
  const images = new Uint8Array(count * imageSize)
  await inChunks(latents, count, async (data, rows, from) => {
    const values = valid(await decode(ndarray(data, [rows, latentSize])), count - from)
    for (let i = 0, to = from * imageSize; i < values.length; i++) images[to++] = Math.round(values[i]!)
  })
  return images
}

/** Gives `run` the `rows` rows of `data`, `CHUNK` at a time from row `from` on; one row alone goes as it is, for acting. */
async function inChunks<T extends Uint8Array | Float32Array>(
  data: T,
  rows: number,
  run: (data: T, rows: number, from: number) => Promise<void>,
): Promise<void> {
  if (rows === 1) return run(data, 1, 0)
  const rowSize = data.length / rows
  for (let from = 0; from < rows; from += CHUNK) {
    const chunk = data.subarray(from * rowSize, (from + CHUNK) * rowSize) as T
    await run(rows - from < CHUNK ? padded(chunk, CHUNK * rowSize) : chunk, CHUNK, from)
  }
}

function padded<T extends Uint8Array | Float32Array>(data: T, length: number): T {
  const all = data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length)
  all.set(data)
  return all as T
}

/** The first `count` rows of a program's output, or all where there are not so many: what comes after them is of padding. */
function valid({ data, shape }: NdArray, count: number): Float32Array {
  return (data as Float32Array).subarray(0, (data.length / shape[0]!) * count)
}
