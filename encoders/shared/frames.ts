import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { tf } from '../../src/tensor/tf.ts'

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
  batch: FrameBatch,
  encode: (frames: NdArray) => Promise<NdArray>,
): Promise<Float32Array> {
  checkFrames(spec, batch)
  const { latentSize, frameShape } = spec
  return inChunks(batch.frames, batch.count, latentSize, async (data, rows) => {
    return (await encode(ndarray(data, [rows, ...frameShape]))).data as Float32Array
  })
}

/** Images uint8 [count, height, width, channels] of latents, by a program from latents [rows, latentSize] to images in [0, 255]. */
export async function decodeLatents(
  { latentSize, frameShape }: EncoderSpec,
  latents: Float32Array,
  count: number,
  decode: (latents: NdArray) => Promise<NdArray>,
): Promise<Uint8Array> {
  const images = await inChunks(latents, count, sizeOf(frameShape), async (data, rows) => {
    return (await decode(ndarray(data, [rows, latentSize]))).data as Float32Array
  })
  return Uint8Array.from(images, Math.round)
}

/** Runs `rows` rows of `data` through `run`, `CHUNK` at a time; one row alone goes as it is, for acting. */
async function inChunks<T extends Uint8Array | Float32Array>(
  data: T,
  rows: number,
  outputSize: number,
  run: (data: T, rows: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  if (rows === 1) return Float32Array.from(await run(data, 1))
  const inputSize = data.length / rows
  const result = new Float32Array(rows * outputSize)
  for (let row = 0; row < rows; row += CHUNK) {
    const count = Math.min(CHUNK, rows - row)
    let chunk = data.subarray(row * inputSize, (row + count) * inputSize) as T
    if (count < CHUNK) {
      const padded =
        data instanceof Uint8Array ? new Uint8Array(CHUNK * inputSize) : new Float32Array(CHUNK * inputSize)
      padded.set(chunk)
      chunk = padded as T
    }
    result.set((await run(chunk, CHUNK)).subarray(0, count * outputSize), row * outputSize)
  }
  return result
}
