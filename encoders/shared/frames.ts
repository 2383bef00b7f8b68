import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput, InputData, InputSpec } from '../../src/core/encoder-input.ts'
import { checkInput, inputShape, requireInput, SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import { tf } from '../../src/tensor/tf.ts'

/** Rows per program run of `encode` and `decode`; a shorter rest is padded, so that only two shapes are ever compiled. */
const CHUNK = 64

/** The spec of an encoder that looks at single frames and learns from them. */
export function singleFrameSpec(
  name: string,
  frameShape: EncoderSpec['frameShape'],
  latentSize: number,
): EncoderSpec<'frames'> {
  const batch = { kind: 'frames', options: {} } as const
  return { name, frameShape, latentSize, batch, window: SINGLE_FRAME, takesContext: false }
}

/** uint8 frames in [0, 1], float32. */
export function scaledFrames(frames: tf.Tensor): tf.Tensor {
  return tf.mul(tf.cast(frames, 'float32'), 1 / 255)
}

/** uint8 frames in [0, 1], minus the mean frame: what networks see, so that a static background costs them nothing. */
export function centred(frames: tf.Tensor, meanFrame: tf.Tensor): tf.Tensor {
  return tf.sub(scaledFrames(frames), meanFrame)
}

/**
 * Frames [B, H, W, C] minus the mean frame, and behind them how far each pixel is from it, [B, H, W, C + 1]: where something is, whatever its colour.
 */
export function withSilhouette(centredFrames: tf.Tensor): tf.Tensor {
  return tf.concat([centredFrames, tf.sqrt(tf.sum(tf.square(centredFrames), 3, true))], 3)
}

/** The way back: images in [0, 255] of what a network says of frames minus the mean frame, without the silhouette that it may say behind them. */
export function toImages(painted: tf.Tensor, meanFrame: tf.Tensor): tf.Tensor {
  const [batch, height, width, count] = painted.shape as [number, number, number, number]
  const channels = meanFrame.shape.at(-1)!
  const frames = count === channels ? painted : tf.slice(painted, [0, 0, 0, 0], [batch, height, width, channels])
  return tf.mul(tf.clipByValue(tf.add(frames, meanFrame), 0, 1), 255)
}

/**
 * `count` frames, windows of them, or vectors, as an array [count, ...inputShape] for a program.
 * @throws ArmatureError `bad-shape` for frames that the encoder does not take.
 */
export function frameArray(spec: InputSpec, frames: InputData, count: number): NdArray<InputData> {
  const shape = [count, ...inputShape(spec)]
  requireInput(spec, frames, shape)
  return ndarray(frames, shape)
}

/** The same for a batch of single frames. */
export function batchFrames(spec: InputSpec, { frames, count }: FrameBatch): NdArray<InputData> {
  return frameArray(spec, frames, count)
}

/** What one input of an encoder is, as an array: height, width, channels, frames of its window, their stride, whether it takes context. */
export function inputArray({ frameShape, window, takesContext }: InputSpec): NdArray<Float32Array> {
  return ndarray(Float32Array.of(...frameShape, window.frames, window.stride, takesContext ? 1 : 0), [6])
}

/** @throws ArmatureError `bad-shape` where weights that looked at inputs `saved`, see {@link inputArray}, are put into another encoder. */
export function requireSameInput(spec: InputSpec, saved: NdArray): void {
  const { data: expected } = inputArray(spec)
  const accepted = [expected, behindEachOther(spec)].map((input) => [...input].join())
  if (accepted.includes([...saved.data].join())) return
  throw new ArmatureError('bad-shape', `weights for ${spec.name}`, {
    expected: `those that look at ${inputText([...expected])}`,
    got: `those that look at ${inputText([...saved.data])}`,
  })
}

/** What weights of before say of frames that are seen at once: one, with their channels behind each other. Their numbers are the same. */
function behindEachOther({ frameShape: [height, width, channels], window, takesContext }: InputSpec): Float32Array {
  return Float32Array.of(height, width, channels * window.frames, 1, 1, takesContext ? 1 : 0)
}

function inputText([height, width, channels, frames, stride, context]: readonly number[]): string {
  if (height === 1 && width === 1) return `vectors of ${channels} numbers`
  const size = `${height}x${width}x${channels}`
  const window = frames === 1 ? `a frame of ${size}` : `${frames} frames of ${size}, ${stride} steps apart`
  return context === 1 ? `${window}, and the first of the episode` : window
}

/** Rows of what a program is given, by input. */
export type RowInputs = Readonly<Record<string, NdArray>>

/**
 * Latents [count, latentSize] of an input, by a program from frames [rows, ...] and, where the encoder takes it, `context`, to latents
 * [rows, latentSize].
 * @throws ArmatureError `bad-shape` or `bad-argument` for an input that `spec` does not take.
 */
export async function encodeInput(
  spec: EncoderSpec,
  input: EncoderInput<InputData>,
  encode: (rows: RowInputs) => Promise<NdArray>,
): Promise<Float32Array> {
  checkInput(spec, input)
  const { count, frames, context } = input
  const { latentSize, frameShape, takesContext } = spec
  const inputs = {
    frames: ndarray(frames, [count, ...inputShape(spec)]),
    ...(takesContext && { context: ndarray(context!, [count, ...frameShape]) }),
  }
  const latents = new Float32Array(count * latentSize)
  await inChunks(inputs, count, async (rows, from) => {
    latents.set(valid(await encode(rows), count - from), from * latentSize)
  })
  return latents
}

/** Images uint8 [count, height, width, channels] of latents, by a program from latents [rows, latentSize] to images in [0, 255]. */
export async function decodeLatents(
  { latentSize, frameShape }: EncoderSpec,
  latents: Float32Array,
  count: number,
  decode: (rows: { readonly latents: NdArray }) => Promise<NdArray>,
): Promise<Uint8Array> {
  const imageSize = sizeOf(frameShape)
  const images = new Uint8Array(count * imageSize)
  await inChunks({ latents: ndarray(latents, [count, latentSize]) }, count, async (rows, from) => {
    const values = valid(await decode(rows), count - from)
    for (let i = 0, to = from * imageSize; i < values.length; i++) images[to++] = Math.round(values[i]!)
  })
  return images
}

/** Gives `run` the `count` rows of all `inputs`, `CHUNK` at a time from row `from` on; one row alone goes as it is, for acting. */
async function inChunks<I extends RowInputs>(
  inputs: I,
  count: number,
  run: (rows: I, from: number) => Promise<void>,
): Promise<void> {
  if (count === 1) return run(inputs, 0)
  for (let from = 0; from < count; from += CHUNK) {
    const rows = Object.entries(inputs).map(([name, array]) => [name, chunk(array, from)])
    await run(Object.fromEntries(rows) as I, from)
  }
}

/** `CHUNK` rows of an array, padded with zeros beyond its end. */
function chunk({ data, shape: [count, ...rest] }: NdArray, from: number): NdArray {
  const rowSize = sizeOf(rest)
  const rows = data.subarray(from * rowSize, (from + CHUNK) * rowSize)
  if (count! - from >= CHUNK) return ndarray(rows, [CHUNK, ...rest])
  const padded = data instanceof Uint8Array ? new Uint8Array(CHUNK * rowSize) : new Float32Array(CHUNK * rowSize)
  padded.set(rows)
  return ndarray(padded, [CHUNK, ...rest])
}

/** The first `count` rows of a program's output, or all where there are not so many: what comes after them is of padding. */
function valid({ data, shape }: NdArray, count: number): Float32Array {
  return (data as Float32Array).subarray(0, (data.length / shape[0]!) * count)
}
