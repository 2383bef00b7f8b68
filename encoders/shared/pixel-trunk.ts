import type { InputShape, StackShape } from '../../src/core/encoder-input.ts'
import { isStackShape } from '../../src/core/encoder-input.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { deltaOrthogonal, orthogonal, RELU_GAIN } from '../../src/tensor/init.ts'
import type { ConvOptions, Layer } from '../../src/tensor/layers.ts'
import {
  activation,
  conv2d,
  conv2dTranspose,
  dense,
  layerNorm,
  sequential,
  spatialSoftArgmax,
} from '../../src/tensor/layers.ts'
import { tf } from '../../src/tensor/tf.ts'
import { conv, deconv, halved, MAX_SIDE, relu } from './networks.ts'

/** What the latent of {@link pixelTrunk} is read off. */
export type Readout = 'flat' | 'positions'

/** Settings of every encoder that has {@link pixelTrunk}. */
export interface PixelTrunkOptions {
  /** Channels of each convolution. */
  readonly filters: number
  /** Of `flat`: convolutions, the first of which halves the sides; at least 1. */
  readonly layers: number
  readonly readout: Readout
  /** Length of the latent. */
  readonly size: number
}

/** A frame, or several that are seen at once. */
export type FrameInput = Exclude<InputShape, readonly [size: number]>

const asStack = (shape: FrameInput): StackShape => (isStackShape(shape) ? shape : [1, ...shape])

/**
 * The trunk of agents that learn from pixels, from a frame [B, H, W, C] or frames that are seen at once [B, frames, H, W, C], scaled, to
 * [B, size]. Convolutions without padding, and at their end a dense layer and layer normalisation.
 *
 * `flat` is that of SAC-AE, CURL, DBC and DrQ: 3x3, the first with stride 2, over the channels of all frames, flattened.
 *
 * `positions` looks at each frame alone, by the same two convolutions (5x5 with stride 3, 3x3), and reads off where each channel is active
 * (spatial soft-arg-max; Levine et al. 2016, Finn et al. 2016). The dense layer sees those of the newest frame, and by how much they moved
 * from each frame to the next. Speeds are then differences of places, which a flat trunk takes most of its time to learn.
 * @throws ArmatureError `bad-shape` for frames of which nothing would be left.
 */
export function pixelTrunk(shape: FrameInput, options: PixelTrunkOptions): Layer {
  const network = options.readout === 'flat' ? flatTrunk : positionsTrunk
  return network(asStack(shape), options)
}

function requireSides([, height, width]: StackShape, smallest: number, layers: string, fix = ''): void {
  if (Math.min(height, width) >= smallest && Math.max(height, width) <= MAX_SIDE) return
  throw new ArmatureError('bad-shape', 'frames of a convolutional encoder', {
    expected: `${smallest} to ${MAX_SIDE} pixels a side for ${layers}`,
    got: `${height}x${width}`,
    fix: `choose another size (env.options of a scene, resize of recorded frames)${fix}`,
  })
}

/** What the convolutions of `flat` leave of a side. */
const flatSide = (pixels: number, layers: number): number => halved(pixels) - 2 * (layers - 1)

const requireFlat = (shape: StackShape, layers: number): void =>
  requireSides(shape, 4 * layers - 1, `${layers} convolutions`, ', or set fewer layers')

function flatTrunk(shape: StackShape, { filters, layers, size }: PixelTrunkOptions): Layer {
  requireFlat(shape, layers)
  const [frames, height, width, channels] = shape
  const kernel = { outputChannels: filters, kernelSize: 3, kernelInit: deltaOrthogonal(RELU_GAIN) } as const
  const later = Array.from({ length: layers - 1 }, (_, i) =>
    conv(`encoder/conv${i + 1}`, { ...kernel, inputChannels: filters }),
  )
  const flatSize = flatSide(height, layers) * flatSide(width, layers) * filters
  return sequential([
    frameSum('encoder/conv0', frames, { ...kernel, inputChannels: frames * channels, stride: 2, padding: 'valid' }),
    relu,
    ...later.flat(),
    activation((x) => tf.reshape(x, [x.shape[0]!, flatSize])),
    ...latent(flatSize, size),
  ])
}

/**
 * A convolution [B, frames, H, W, C] -> [B, H', W', out] over the channels of all frames, those of the oldest first: the sum of one of each frame,
 * since to lay their channels behind each other takes longer.
 */
function frameSum(name: string, frames: number, options: ConvOptions): Layer {
  const whole = conv2d(name, options)
  if (frames === 1) return whole
  const { stride = 1, padding = 'same' } = options
  return {
    parameters: whole.parameters,
    apply: (weights, x) => {
      const kernels = tf.split(weights[`${name}/kernel`]!, frames, 2) as tf.Tensor4D[]
      const parts = tf.unstack(x, 1).map((frame, i) => tf.conv2d(frame as tf.Tensor4D, kernels[i]!, stride, padding))
      return tf.add(tf.addN(parts), weights[`${name}/bias`]!)
    },
  }
}

/** Side of the first filter of `positions`, and its stride. */
const FIRST = { kernelSize: 5, stride: 3 } as const
const positionsSide = (pixels: number): number => Math.floor((pixels - FIRST.kernelSize) / FIRST.stride) + 1 - 2
/** Smallest side: two positions to tell apart. */
const MIN_SIDE = 14

/** What moves goes a few hundredths of the way across a frame from one to the next. */
const MOTION_GAIN = 4

function positionsTrunk(shape: StackShape, { filters, size }: PixelTrunkOptions): Layer {
  requireSides(shape, MIN_SIDE, 'positions')
  const [frames, height, width, channels] = shape
  const perFrame = sequential([
    ...conv('encoder/conv0', { ...FIRST, inputChannels: channels, outputChannels: filters }),
    ...conv('encoder/conv1', { inputChannels: filters, outputChannels: filters, kernelSize: 3 }),
    spatialSoftArgmax('encoder/positions', positionsSide(height), positionsSide(width)),
  ])
  const head = sequential(latent(frames * 2 * filters, size))
  return {
    parameters: [...perFrame.parameters, ...head.parameters],
    apply: (weights, x) => {
      const batch = x.shape[0]!
      const places = perFrame.apply(weights, tf.reshape(x, [batch * frames, height, width, channels]))
      const [newest, ...older] = tf.unstack(tf.reshape(places, [batch, frames, 2 * filters]), 1).toReversed()
      const moved = older.map((before, i) => tf.mul(tf.sub(i === 0 ? newest! : older[i - 1]!, before), MOTION_GAIN))
      return head.apply(weights, tf.concat([newest!, ...moved], 1))
    },
  }
}

function latent(inputSize: number, size: number): Layer[] {
  return [
    dense('encoder/latent', { inputSize, outputSize: size, kernelInit: orthogonal() }),
    layerNorm('encoder/norm', size),
  ]
}

/**
 * The mirror image of `flat`, as in SAC-AE: a dense layer, transposed convolutions 3x3, the last of which doubles the sides: from [B, size] to
 * the channels of all frames behind each other, [B, H, W, frames * C].
 * @throws ArmatureError `bad-shape` for frames that are smaller than what it would paint at least.
 */
export function trunkDecoder(
  shape: FrameInput,
  { filters, layers, size }: Pick<PixelTrunkOptions, 'filters' | 'layers' | 'size'>,
): Layer {
  const stack = asStack(shape)
  requireFlat(stack, layers)
  const [frames, height, width, channels] = stack
  const [rows, columns] = [flatSide(height, layers), flatSide(width, layers)]
  const inner = Array.from({ length: layers - 1 }, (_, i) =>
    deconv(`decoder/deconv${i}`, { inputChannels: filters, outputChannels: filters, kernelSize: 3 }),
  )
  const missing = (side: number): number => side - (2 * halved(side) + 1)
  return sequential([
    dense('decoder/latent', { inputSize: size, outputSize: rows * columns * filters }),
    relu,
    activation((x) => tf.reshape(x, [-1, rows, columns, filters])),
    ...inner.flat(),
    conv2dTranspose('decoder/image', {
      inputChannels: filters,
      outputChannels: frames * channels,
      kernelSize: 3,
      stride: 2,
      padding: 'valid',
      outputPadding: [missing(height), missing(width)],
    }),
  ])
}
