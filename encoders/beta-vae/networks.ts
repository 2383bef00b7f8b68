import { ArmatureError } from '../../src/core/errors.ts'
import { uniform } from '../../src/tensor/init.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { activation, conv2d, conv2dTranspose, dense, sequential, spatialSoftArgmax } from '../../src/tensor/layers.ts'
import { tf } from '../../src/tensor/tf.ts'

/** Encoder [B, 48, 48, C] -> [B, 2 * latentSize] and decoder [B, latentSize] -> [B, 48, 48, C]. */
export interface VaeNetworks {
  readonly encoder: Layer
  readonly decoder: Layer
}

/** How the encoder turns feature maps into a vector: see {@link vaeNetworks}. */
export type Pooling = 'soft-argmax' | 'flatten'

const SIDE = 48
/** Side of the first feature map of the encoder, and side and channels of the smallest: 48 -> 15 -> 7 -> 3. */
const FIRST_SIDE = 15
const [TOP_SIDE, TOP_CHANNELS] = [3, 64]
const TOP_SIZE = TOP_SIDE * TOP_SIDE * TOP_CHANNELS
/** RIG's initialisation of the posterior: it starts as the same small ball for every image. */
const denseInit = { kernelInit: uniform(1e-3) }

/**
 * `flatten` is the 48x48 architecture of RIG's successors: conv 5x5 s3 16, 3x3 s2 32, 3x3 s2 64 and its mirror image
 * (deconv 3x3 s2 32, 3x3 s2 16, 6x6 s3), all without padding. `soft-argmax` keeps the decoder and the first convolution, and
 * reads positions off a 15x15 map (conv 3x3 s1 32, spatial soft-arg-max) instead of flattening a 3x3 one: latents are then close
 * to linear in where things are, while a flattened map is folded, and far apart goals look equally far (README.md has the numbers).
 * @throws ArmatureError `bad-shape` for other sizes.
 */
export function vaeNetworks(
  frameShape: readonly [number, number, number],
  latentSize: number,
  pooling: Pooling,
): VaeNetworks {
  const [height, width, channels] = frameShape
  if (height !== SIDE || width !== SIDE) {
    throw new ArmatureError('bad-shape', 'beta-vae frames', {
      expected: `${SIDE}x${SIDE} pixels`,
      got: `${height}x${width}`,
      fix: `set env.options so that the camera renders ${SIDE}x${SIDE}`,
    })
  }
  const relu = activation(tf.relu)
  const padding = 'valid'
  return {
    encoder: sequential([
      conv2d('encoder/conv0', { inputChannels: channels, outputChannels: 16, kernelSize: 5, stride: 3, padding }),
      relu, // [B, 15, 15, 16]
      ...(pooling === 'flatten' ? flattened() : positions()),
      dense('encoder/posterior', {
        inputSize: pooling === 'flatten' ? TOP_SIZE : 2 * 32,
        outputSize: 2 * latentSize,
        ...denseInit,
      }), // [B, 2 D]
    ]),
    decoder: sequential([
      dense('decoder/latent', { inputSize: latentSize, outputSize: TOP_SIZE }),
      relu,
      activation((x) => tf.reshape(x, [-1, TOP_SIDE, TOP_SIDE, TOP_CHANNELS])),
      conv2dTranspose('decoder/deconv0', {
        inputChannels: TOP_CHANNELS,
        outputChannels: 32,
        kernelSize: 3,
        stride: 2,
        padding,
      }),
      relu, // [B, 7, 7, 32]
      conv2dTranspose('decoder/deconv1', { inputChannels: 32, outputChannels: 16, kernelSize: 3, stride: 2, padding }),
      relu, // [B, 15, 15, 16]
      conv2dTranspose('decoder/deconv2', {
        inputChannels: 16,
        outputChannels: channels,
        kernelSize: 6,
        stride: 3,
        padding,
      }), // [B, 48, 48, C]
    ]),
  }
}

/** [B, 15, 15, 16] -> [B, 576] */
function flattened(): Layer[] {
  const relu = activation(tf.relu)
  return [
    conv2d('encoder/conv1', { inputChannels: 16, outputChannels: 32, kernelSize: 3, stride: 2, padding: 'valid' }),
    relu, // [B, 7, 7, 32]
    conv2d('encoder/conv2', {
      inputChannels: 32,
      outputChannels: TOP_CHANNELS,
      kernelSize: 3,
      stride: 2,
      padding: 'valid',
    }),
    relu, // [B, 3, 3, 64]
    activation((x) => tf.reshape(x, [x.shape[0]!, TOP_SIZE])),
  ]
}

/** [B, 15, 15, 16] -> [B, 64] */
function positions(): Layer[] {
  return [
    conv2d('encoder/conv1', { inputChannels: 16, outputChannels: 32, kernelSize: 3 }),
    activation(tf.relu), // [B, 15, 15, 32]
    spatialSoftArgmax('encoder/positions', FIRST_SIDE, FIRST_SIDE),
  ]
}
