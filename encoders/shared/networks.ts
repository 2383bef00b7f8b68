import { z } from 'zod'
import { ArmatureError } from '../../src/core/errors.ts'
import { uniform } from '../../src/tensor/init.ts'
import type { ConvOptions, Layer } from '../../src/tensor/layers.ts'
import {
  activation,
  conv2d,
  conv2dTranspose,
  dense,
  sequential,
  spatialBroadcast,
  spatialSoftArgmax,
} from '../../src/tensor/layers.ts'
import { tf } from '../../src/tensor/tf.ts'

/** What lies between the outermost convolutions and the latent: see {@link encoderNetwork}. */
export type Architecture = 'spatial' | 'rig'

/** Settings of every encoder that has these networks. */
export const architectureSchema: z.ZodDefault<z.ZodEnum<{ spatial: 'spatial'; rig: 'rig' }>> = z
  .enum(['spatial', 'rig'])
  .default('spatial')
  .describe('networks between 15x15 maps and latent: by positions, or the flattened ones of RIG')

/** The last layer of an encoder. */
export interface Head {
  /** Of its weights, e.g. `encoder/posterior`. */
  readonly name: string
  readonly size: number
}

const SIDE = 48
/** Side and channels of the map next to the image, in encoder and decoder. */
const [MAP_SIDE, MAP_CHANNELS] = [15, 16]

/**
 * Encoder [B, 48, 48, C] -> [B, head.size].
 *
 * Both architectures have the first convolution of RIG's 48x48 network (5x5 s3 16), without padding, and differ between those
 * 15x15 maps and the latent; {@link decoderNetwork} is the other half.
 *
 * `rig` is that network: conv 3x3 s2 32, 3x3 s2 64, a dense layer.
 *
 * `spatial` speaks of positions on both sides. The encoder reads them off (conv 3x3 32, spatial soft-arg-max), the decoder paints
 * a map by a function of latent and position (spatial broadcast, 1x1 convolutions of 64). Latents are then close to linear in
 * where things are, and stay so where few frames were seen; README.md of the beta-VAE has the numbers.
 * @throws ArmatureError `bad-shape` for other sizes.
 */
export function encoderNetwork(
  frameShape: readonly [number, number, number],
  architecture: Architecture,
  head: Head,
): Layer {
  const [height, width, channels] = frameShape
  if (height !== SIDE || width !== SIDE) {
    throw new ArmatureError('bad-shape', 'frames of a convolutional encoder', {
      expected: `${SIDE}x${SIDE} pixels`,
      got: `${height}x${width}`,
      fix: `set env.options so that the camera renders ${SIDE}x${SIDE}`,
    })
  }
  return sequential([
    ...conv('encoder/conv0', { inputChannels: channels, outputChannels: MAP_CHANNELS, kernelSize: 5, stride: 3 }),
    architecture === 'rig' ? flattenedEncoder(head) : spatialEncoder(head), // [B, 15, 15, 16] -> [B, head.size]
  ])
}

/** The mirror image: decoder [B, latentSize] -> [B, 48, 48, C], its last layer RIG's transposed convolution (6x6 s3). */
export function decoderNetwork(channels: number, architecture: Architecture, latentSize: number): Layer {
  return sequential([
    architecture === 'rig' ? flattenedDecoder(latentSize) : spatialDecoder(latentSize), // [B, D] -> [B, 15, 15, 16]
    conv2dTranspose('decoder/image', {
      inputChannels: MAP_CHANNELS,
      outputChannels: channels,
      kernelSize: 6,
      stride: 3,
      padding: 'valid',
    }), // [B, 48, 48, C]
  ])
}

/** Side and channels of the smallest map of `rig`. */
const [FLAT_SIDE, FLAT_CHANNELS] = [3, 64]
const FLAT_SIZE = FLAT_SIDE * FLAT_SIDE * FLAT_CHANNELS

function flattenedEncoder({ name, size }: Head): Layer {
  return sequential([
    ...conv('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: 32, kernelSize: 3, stride: 2 }), // [B, 7, 7, 32]
    ...conv('encoder/conv2', { inputChannels: 32, outputChannels: FLAT_CHANNELS, kernelSize: 3, stride: 2 }), // [B, 3, 3, 64]
    activation((x) => tf.reshape(x, [x.shape[0]!, FLAT_SIZE])),
    // RIG's initialisation: the posterior starts as the same small ball for every image.
    dense(name, { inputSize: FLAT_SIZE, outputSize: size, kernelInit: uniform(1e-3) }),
  ])
}

function flattenedDecoder(latentSize: number): Layer {
  return sequential([
    dense('decoder/latent', { inputSize: latentSize, outputSize: FLAT_SIZE }),
    relu,
    activation((x) => tf.reshape(x, [-1, FLAT_SIDE, FLAT_SIDE, FLAT_CHANNELS])),
    ...deconv('decoder/deconv0', { inputChannels: FLAT_CHANNELS, outputChannels: 32, kernelSize: 3, stride: 2 }), // [B, 7, 7, 32]
    ...deconv('decoder/deconv1', { inputChannels: 32, outputChannels: MAP_CHANNELS, kernelSize: 3, stride: 2 }),
  ])
}

/** Feature maps whose positions `spatial` reads. */
const POSITIONS = 32
/** Channels of the maps that `spatial` paints. */
const PAINTED = 64

function spatialEncoder({ name, size }: Head): Layer {
  return sequential([
    conv2d('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: POSITIONS, kernelSize: 3 }),
    relu, // [B, 15, 15, 32]
    spatialSoftArgmax('encoder/positions', MAP_SIDE, MAP_SIDE), // [B, 64]
    // From a smaller start (1e-3, as in `rig`), one of two things in the scene was at times not found before beta had risen.
    dense(name, { inputSize: 2 * POSITIONS, outputSize: size, kernelInit: uniform(0.05) }),
  ])
}

function spatialDecoder(latentSize: number): Layer {
  return sequential([
    spatialBroadcast('decoder/broadcast', {
      inputSize: latentSize,
      outputChannels: PAINTED,
      height: MAP_SIDE,
      width: MAP_SIDE,
    }),
    relu,
    ...conv('decoder/conv0', { inputChannels: PAINTED, outputChannels: PAINTED, kernelSize: 1 }),
    ...conv('decoder/conv1', { inputChannels: PAINTED, outputChannels: PAINTED, kernelSize: 1 }),
    ...conv('decoder/conv2', { inputChannels: PAINTED, outputChannels: MAP_CHANNELS, kernelSize: 1 }),
  ])
}

const relu = activation(tf.relu)

function conv(name: string, options: ConvOptions): Layer[] {
  return [conv2d(name, { ...options, padding: 'valid' }), relu]
}

function deconv(name: string, options: ConvOptions): Layer[] {
  return [conv2dTranspose(name, { ...options, padding: 'valid' }), relu]
}
