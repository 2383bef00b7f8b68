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

/** Encoder [B, 48, 48, C] -> [B, 2 * latentSize] and decoder [B, latentSize] -> [B, 48, 48, C]. */
export interface VaeNetworks {
  readonly encoder: Layer
  readonly decoder: Layer
}

/** What lies between the outermost convolutions and the latent: see {@link vaeNetworks}. */
export type Architecture = 'spatial' | 'rig'

const SIDE = 48
/** Side and channels of the map next to the image, in encoder and decoder. */
const [MAP_SIDE, MAP_CHANNELS] = [15, 16]

/**
 * Both architectures have the first convolution of RIG's 48x48 network (5x5 s3 16) and its last transposed one (6x6 s3), all
 * without padding, and differ between those 15x15 maps and the latent.
 *
 * `rig` is that network: conv 3x3 s2 32, 3x3 s2 64, a dense layer, and its mirror image.
 *
 * `spatial` speaks of positions on both sides. The encoder reads them off (conv 3x3 32, spatial soft-arg-max), the decoder paints
 * a map by a function of latent and position (spatial broadcast, 1x1 convolutions of 64). Latents are then close to linear in
 * where things are, and stay so where few frames were seen; README.md has the numbers.
 * @throws ArmatureError `bad-shape` for other sizes.
 */
export function vaeNetworks(
  frameShape: readonly [number, number, number],
  latentSize: number,
  architecture: Architecture,
): VaeNetworks {
  const [height, width, channels] = frameShape
  if (height !== SIDE || width !== SIDE) {
    throw new ArmatureError('bad-shape', 'beta-vae frames', {
      expected: `${SIDE}x${SIDE} pixels`,
      got: `${height}x${width}`,
      fix: `set env.options so that the camera renders ${SIDE}x${SIDE}`,
    })
  }
  const { fromMap, toMap } = architecture === 'rig' ? flattened(latentSize) : spatial(latentSize)
  return {
    encoder: sequential([
      ...conv('encoder/conv0', { inputChannels: channels, outputChannels: MAP_CHANNELS, kernelSize: 5, stride: 3 }),
      fromMap, // [B, 15, 15, 16] -> [B, 2 D]
    ]),
    decoder: sequential([
      toMap, // [B, D] -> [B, 15, 15, 16]
      conv2dTranspose('decoder/image', {
        inputChannels: MAP_CHANNELS,
        outputChannels: channels,
        kernelSize: 6,
        stride: 3,
        padding: 'valid',
      }), // [B, 48, 48, C]
    ]),
  }
}

/** The two halves of an architecture: the 15x15 map to the posterior [B, 2 D], and a latent [B, D] to such a map. */
interface Middle {
  readonly fromMap: Layer
  readonly toMap: Layer
}

function flattened(latentSize: number): Middle {
  const [side, channels] = [3, 64]
  const size = side * side * channels
  return {
    fromMap: sequential([
      ...conv('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: 32, kernelSize: 3, stride: 2 }), // [B, 7, 7, 32]
      ...conv('encoder/conv2', { inputChannels: 32, outputChannels: channels, kernelSize: 3, stride: 2 }), // [B, 3, 3, 64]
      activation((x) => tf.reshape(x, [x.shape[0]!, size])),
      // RIG's initialisation: the posterior starts as the same small ball for every image.
      dense('encoder/posterior', { inputSize: size, outputSize: 2 * latentSize, kernelInit: uniform(1e-3) }),
    ]),
    toMap: sequential([
      dense('decoder/latent', { inputSize: latentSize, outputSize: size }),
      relu,
      activation((x) => tf.reshape(x, [-1, side, side, channels])),
      ...deconv('decoder/deconv0', { inputChannels: channels, outputChannels: 32, kernelSize: 3, stride: 2 }), // [B, 7, 7, 32]
      ...deconv('decoder/deconv1', { inputChannels: 32, outputChannels: MAP_CHANNELS, kernelSize: 3, stride: 2 }),
    ]),
  }
}

function spatial(latentSize: number): Middle {
  const [features, hidden] = [32, 64]
  return {
    fromMap: sequential([
      conv2d('encoder/conv1', { inputChannels: MAP_CHANNELS, outputChannels: features, kernelSize: 3 }),
      relu, // [B, 15, 15, 32]
      spatialSoftArgmax('encoder/positions', MAP_SIDE, MAP_SIDE), // [B, 64]
      // From a smaller start (1e-3, as in `rig`), one of two things in the scene was at times not found before beta had risen.
      dense('encoder/posterior', { inputSize: 2 * features, outputSize: 2 * latentSize, kernelInit: uniform(0.05) }),
    ]),
    toMap: sequential([
      spatialBroadcast('decoder/broadcast', {
        inputSize: latentSize,
        outputChannels: hidden,
        height: MAP_SIDE,
        width: MAP_SIDE,
      }),
      relu,
      ...conv('decoder/conv0', { inputChannels: hidden, outputChannels: hidden, kernelSize: 1 }),
      ...conv('decoder/conv1', { inputChannels: hidden, outputChannels: hidden, kernelSize: 1 }),
      ...conv('decoder/conv2', { inputChannels: hidden, outputChannels: MAP_CHANNELS, kernelSize: 1 }),
    ]),
  }
}

const relu = activation(tf.relu)

function conv(name: string, options: ConvOptions): Layer[] {
  return [conv2d(name, { ...options, padding: 'valid' }), relu]
}

function deconv(name: string, options: ConvOptions): Layer[] {
  return [conv2dTranspose(name, { ...options, padding: 'valid' }), relu]
}
