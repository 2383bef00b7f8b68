import { z } from 'zod'
import { ArmatureError } from '../../src/core/errors.ts'
import { orthogonal, uniform } from '../../src/tensor/init.ts'
import type { ConvOptions, Layer } from '../../src/tensor/layers.ts'
import {
  activation,
  conv2d,
  conv2dTranspose,
  dense,
  mlp,
  sequential,
  spatialBroadcast,
  spatialSoftArgmax,
} from '../../src/tensor/layers.ts'
import { tf } from '../../src/tensor/tf.ts'

/** What lies between the outermost convolutions and the latent: see {@link encoderNetwork}. */
export type Architecture = 'spatial' | 'rig' | 'palette'

/** Settings of every encoder that has these networks. */
export const architectureSchema: z.ZodDefault<z.ZodEnum<{ [A in Architecture]: A }>> = z
  .enum(['spatial', 'rig', 'palette'])
  .default('spatial')
  .describe(
    'networks between image and latent: by positions, the flattened ones of RIG, or those with colours that differ by image',
  )

/** The last layer of an encoder. */
export interface Head {
  /** Of its weights, e.g. `encoder/posterior`. */
  readonly name: string
  readonly size: number
}

type Size = readonly [height: number, width: number]

/** Channels of the maps next to the image. */
const MAP_CHANNELS = 16
/** What the first convolution, and RIG's two that follow it, do to a side. */
const firstSide = (side: number): number => Math.floor((side - 5) / 3) + 1
export const halved = (side: number): number => Math.floor((side - 3) / 2) + 1
/** The smallest map that a transposed convolution, 6x6 s3 or 3x3 s2, makes no smaller than `side`. */
const mapFor = (side: number): number => Math.ceil((side - 6) / 3) + 1
const halfFor = (side: number): number => Math.ceil((side - 3) / 2) + 1

/** Of encoders that reconstruct things whose colours differ. */
export const silhouetteSetting = z
  .boolean()
  .default(false)
  .describe('reconstruct how far each pixel is from the mean frame as well: places are then found before colours')

/** Smallest side: `spatial` needs two positions to tell apart, the others something left after the three convolutions of RIG. */
const MIN_SIDE = { spatial: 8, rig: 23, palette: 23 } as const
export const MAX_SIDE = 512
const MAX_CHANNELS = 64

/**
 * Encoder [B, H, W, C] -> [B, head.size], for frames of any height and width from {@link MIN_SIDE} to 512.
 *
 * All architectures have the first convolution of RIG's 48x48 network (5x5 s3 16), without padding, and differ between those maps
 * (15x15 of 48x48; up to two rows and columns at the far border go unseen where 3 does not divide what is left) and the latent;
 * {@link decoderNetwork} is the other half.
 *
 * `rig` is that network: conv 3x3 s2 32, 3x3 s2 64, a dense layer.
 *
 * `spatial` speaks of positions on both sides. The encoder reads them off (conv 3x3 32, spatial soft-arg-max), the decoder paints
 * a map by a function of latent and position (spatial broadcast, 1x1 convolutions of 64). Latents are then close to linear in
 * where things are, and stay so where few frames were seen; README.md of the beta-VAE has the numbers.
 *
 * `palette` is for things whose colours differ from image to image. The encoder reads positions as `spatial` does, and what is seen there. The
 * decoder says where apart from in which colour: RIG's, after a hidden layer, paints four maps of the latent, each of which has a
 * colour by the latent; the image is their sum. README.md of the CC-VAE has the numbers.
 * @throws ArmatureError `bad-shape` for frames that are too small or too large.
 */
export function encoderNetwork(
  frameShape: readonly [height: number, width: number, channels: number],
  architecture: Architecture,
  head: Head,
): Layer {
  requireSize(frameShape, architecture)
  const [height, width, channels] = frameShape
  const map: Size = [firstSide(height), firstSide(width)]
  return sequential([
    ...conv('encoder/conv0', { inputChannels: channels, outputChannels: MAP_CHANNELS, kernelSize: 5, stride: 3 }),
    ENCODERS[architecture](map, head), // [B, *map, 16] -> [B, head.size]
  ])
}

/**
 * The mirror image: decoder [B, latentSize] -> [B, H, W, C], its last layer RIG's transposed convolution (6x6 s3). What it paints beyond
 * the frame is cut off, as much on either side; nothing of 48x48. With `silhouette` it paints [B, H, W, C + 1]: the last has no colour.
 */
export function decoderNetwork(
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  architecture: Architecture,
  latentSize: number,
  silhouette = false,
): Layer {
  const map: Size = [mapFor(height), mapFor(width)]
  const isPalette = architecture === 'palette'
  const outputChannels = (isPalette ? COLOURS : channels) + (silhouette ? 1 : 0)
  const image = { inputChannels: MAP_CHANNELS, outputChannels, kernelSize: 6, stride: 3 } as const
  const painter = sequential([
    DECODERS[architecture](map, latentSize), // [B, D] -> [B, >= map, 16]
    conv2dTranspose('decoder/image', { ...image, padding: 'valid' }),
    activation((x) => middle(x, height, width)), // [B, H, W, C or 4, and the silhouette]
  ])
  return isPalette ? coloured(painter, latentSize, channels) : painter
}

function requireSize([height, width, channels]: readonly number[], architecture: Architecture): void {
  const min = MIN_SIDE[architecture]
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= min && side <= MAX_SIDE
  const isChannels = Number.isInteger(channels) && channels! >= 1 && channels! <= MAX_CHANNELS
  if (isSide(height!) && isSide(width!) && isChannels) return
  throw new ArmatureError('bad-shape', `frames of a convolutional encoder (${architecture})`, {
    expected: `${min} to ${MAX_SIDE} pixels a side, 1 to ${MAX_CHANNELS} channels`,
    got: `${height}x${width}x${channels}`,
    fix: 'choose another size (env.options of a scene, resize of recorded frames), or choose another encoder',
  })
}

/** The middle [B, height, width, C] of maps that are at least as large. */
function middle(x: tf.Tensor, height: number, width: number): tf.Tensor {
  const [batch, rows, columns, channels] = x.shape as [number, number, number, number]
  if (rows === height && columns === width) return x
  const start = [0, Math.floor((rows - height) / 2), Math.floor((columns - width) / 2), 0]
  return tf.slice(x, start, [batch, height, width, channels])
}

/** Channels of the smallest map of `rig`, 3x3 of 48x48. */
const FLAT_CHANNELS = 64

function flattenedEncoder([height, width]: Size, { name, size }: Head): Layer {
  const flatSize = halved(halved(height)) * halved(halved(width)) * FLAT_CHANNELS
  return sequential([
    ...conv('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: 32, kernelSize: 3, stride: 2 }), // 7x7 of 48x48
    ...conv('encoder/conv2', { inputChannels: 32, outputChannels: FLAT_CHANNELS, kernelSize: 3, stride: 2 }), // 3x3
    activation((x) => tf.reshape(x, [x.shape[0]!, flatSize])),
    // RIG's initialisation: the posterior starts as the same small ball for every image.
    dense(name, { inputSize: flatSize, outputSize: size, kernelInit: uniform(1e-3) }),
  ])
}

function flattenedDecoder([height, width]: Size, latentSize: number): Layer {
  const [rows, columns] = [halfFor(halfFor(height)), halfFor(halfFor(width))]
  return sequential([
    dense('decoder/latent', { inputSize: latentSize, outputSize: rows * columns * FLAT_CHANNELS }),
    relu,
    activation((x) => tf.reshape(x, [-1, rows, columns, FLAT_CHANNELS])), // 3x3 of 48x48
    ...deconv('decoder/deconv0', { inputChannels: FLAT_CHANNELS, outputChannels: 32, kernelSize: 3, stride: 2 }), // 7x7
    ...deconv('decoder/deconv1', { inputChannels: 32, outputChannels: MAP_CHANNELS, kernelSize: 3, stride: 2 }),
  ])
}

/** Feature maps that the encoder of `palette` reads, and the hidden layer of its decoder. */
const READ_MAPS = 16
const HIDDEN = 128
/** Maps that have a colour each: the ground, the thing on it, and two more for shadows and edges. */
const COLOURS = 4

/** As `spatial`, with what is seen at each position beside the position. */
function readingEncoder([height, width]: Size, { name, size }: Head): Layer {
  return sequential([
    conv2d('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: READ_MAPS, kernelSize: 3 }),
    relu, // [B, height, width, 16]
    spatialSoftArgmax('encoder/positions', height, width, { strengths: true }), // [B, 48]
    dense(name, { inputSize: 3 * READ_MAPS, outputSize: size, kernelInit: orthogonal() }),
  ])
}

function hiddenDecoder(map: Size, latentSize: number): Layer {
  const hidden = dense('decoder/hidden', { inputSize: latentSize, outputSize: HIDDEN })
  return sequential([hidden, relu, flattenedDecoder(map, HIDDEN)])
}

/** Maps by `painter` [B, H, W, 4], each times a colour [channels] that a small network of the same latent says; what is behind them stays as it is. */
function coloured(painter: Layer, latentSize: number, channels: number): Layer {
  const palette = mlp('decoder/palette', { inputSize: latentSize, hiddenSizes: [64], outputSize: COLOURS * channels })
  return {
    parameters: [...painter.parameters, ...palette.parameters],
    apply: (weights, latents) => {
      const maps = painter.apply(weights, latents)
      const [batch, height, width, count] = maps.shape as [number, number, number, number]
      const colours = tf.reshape(palette.apply(weights, latents), [batch, COLOURS, channels])
      const of = (painted: tf.Tensor): tf.Tensor => {
        const image = tf.matMul(tf.reshape(painted, [batch, height * width, COLOURS]), colours) // [B, HW, C]
        return tf.reshape(image, [batch, height, width, channels])
      }
      if (count === COLOURS) return of(maps)
      const [painted, plain] = tf.split(maps, [COLOURS, count - COLOURS], 3) as [tf.Tensor, tf.Tensor]
      return tf.concat([of(painted), plain], 3)
    },
  }
}

/** Feature maps whose positions `spatial` reads. */
const POSITIONS = 32
/** Channels of the maps that `spatial` paints. */
const PAINTED = 64

function spatialEncoder([height, width]: Size, { name, size }: Head): Layer {
  return sequential([
    conv2d('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: POSITIONS, kernelSize: 3 }),
    relu, // [B, height, width, 32]
    spatialSoftArgmax('encoder/positions', height, width), // [B, 64]
    // From a smaller start (1e-3, as in `rig`), one of two things in the scene was at times not found before beta had risen.
    dense(name, { inputSize: 2 * POSITIONS, outputSize: size, kernelInit: uniform(0.05) }),
  ])
}

function spatialDecoder([height, width]: Size, latentSize: number): Layer {
  return sequential([
    spatialBroadcast('decoder/broadcast', { inputSize: latentSize, outputChannels: PAINTED, height, width }),
    relu,
    ...conv('decoder/conv0', { inputChannels: PAINTED, outputChannels: PAINTED, kernelSize: 1 }),
    ...conv('decoder/conv1', { inputChannels: PAINTED, outputChannels: PAINTED, kernelSize: 1 }),
    ...conv('decoder/conv2', { inputChannels: PAINTED, outputChannels: MAP_CHANNELS, kernelSize: 1 }),
  ])
}

const ENCODERS = { spatial: spatialEncoder, rig: flattenedEncoder, palette: readingEncoder } as const
const DECODERS = { spatial: spatialDecoder, rig: flattenedDecoder, palette: hiddenDecoder } as const

/** [B, ...] -> [B, ...] */
export const relu: Layer = activation(tf.relu)

/** A convolution without padding, and ReLU. */
export function conv(name: string, options: ConvOptions): Layer[] {
  return [conv2d(name, { ...options, padding: 'valid' }), relu]
}

/** A transposed one. */
export function deconv(name: string, options: ConvOptions): Layer[] {
  return [conv2dTranspose(name, { ...options, padding: 'valid' }), relu]
}

/** Channels and stride of each convolution 3x3. */
export type ConvolutionSpec = readonly (readonly [channels: number, stride: 1 | 2])[]

/** Convolutions 3x3 with ReLU and `same` padding, named `<name>/conv0` and so on, and the size of the maps that they end in. */
export function convolutions(
  name: string,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  spec: ConvolutionSpec,
): { readonly layer: Layer; readonly map: readonly [height: number, width: number, channels: number] } {
  const layers: Layer[] = []
  let [rows, columns, inputChannels] = [height, width, channels]
  for (const [i, [outputChannels, stride]] of spec.entries()) {
    layers.push(conv2d(`${name}/conv${i}`, { inputChannels, outputChannels, kernelSize: 3, stride }), relu)
    ;[rows, columns, inputChannels] = [Math.ceil(rows / stride), Math.ceil(columns / stride), outputChannels]
  }
  return { layer: sequential(layers), map: [rows, columns, inputChannels] }
}

/** From where things are in maps [B, H, W, C] to an embedding [B, size]: spatial soft-arg-max, a hidden layer, a linear one. */
export function positionsHead(
  name: string,
  [height, width, channels]: readonly [height: number, width: number, channels: number],
  { hidden, size }: { readonly hidden: number; readonly size: number },
): Layer {
  return sequential([
    spatialSoftArgmax(`${name}/positions`, height, width), // [B, 2 C]
    dense(`${name}/hidden`, { inputSize: 2 * channels, outputSize: hidden }),
    relu,
    dense(`${name}/embedding`, { inputSize: hidden, outputSize: size, kernelInit: orthogonal() }),
  ])
}
