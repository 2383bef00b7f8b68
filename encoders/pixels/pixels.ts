import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { checkInput } from '../../src/core/encoder-input.ts'
import type { EncoderSpec } from '../../src/core/encoder.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import { tf } from '../../src/tensor/tf.ts'
import { singleFrameSpec } from '../shared/frames.ts'
import { TensorEncoder } from '../shared/tensor-encoder.ts'
import type { PixelsConfig } from './config.ts'

/**
 * Raw pixels, averaged over blocks and flattened: what is there before anything is learned. With P numbers to a frame,
 *
 *   z = pixels in [0, 1] / sqrt(P),
 *
 * so that the distance of two latents is the root-mean-square difference of the two downsampled images, 0 to 1.
 */
export class Pixels extends TensorEncoder {
  readonly #block: number

  /** @throws ArmatureError `bad-config` when `block` does not divide the frame. */
  constructor(frameShape: EncoderSpec['frameShape'], { block }: PixelsConfig) {
    const [height, width, channels] = frameShape
    if (height % block !== 0 || width % block !== 0) {
      throw new ArmatureError('bad-config', 'pixels block', {
        expected: `a divisor of ${height} and ${width}`,
        got: String(block),
      })
    }
    super(singleFrameSpec('pixels', frameShape, (height / block) * (width / block) * channels))
    this.#block = block
  }

  latentFunction({ frames }: FrameTensors): tf.Tensor {
    const [height, width, channels] = this.spec.frameShape
    const [rows, columns] = [height / this.#block, width / this.#block]
    const blocks = tf.reshape(tf.cast(frames, 'float32'), [-1, this.#block, columns, this.#block * channels])
    const means = tf.mean(tf.reshape(tf.mean(blocks, 1), [-1, columns, this.#block, channels]), 2) // [B rows, columns, C]
    return tf.mul(tf.reshape(means, [-1, rows * columns * channels]), this.#factor())
  }

  override async encode(input: EncoderInput): Promise<Float32Array> {
    checkInput(this.spec, input)
    const { frameShape, latentSize } = this.spec
    const [, width, channels] = frameShape
    const frameSize = sizeOf(frameShape)
    const latents = new Float32Array(input.count * latentSize)
    const factor = this.#factor() / this.#block ** 2
    const columns = width / this.#block
    for (let i = 0; i < input.frames.length; i++) {
      const at = i % frameSize
      const channel = at % channels
      const column = Math.floor(at / channels) % width
      const row = Math.floor(at / (channels * width))
      const cell = Math.floor(row / this.#block) * columns + Math.floor(column / this.#block)
      latents[((i - at) / frameSize) * latentSize + cell * channels + channel]! += input.frames[i]!
    }
    return latents.map((sum) => sum * factor)
  }

  /** Each block in one colour. */
  async decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    const { frameShape, latentSize } = this.spec
    const [height, width, channels] = frameShape
    const columns = width / this.#block
    const images = new Uint8Array(count * sizeOf(frameShape))
    let i = 0
    for (let image = 0; image < count; image++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const cell = Math.floor(row / this.#block) * columns + Math.floor(column / this.#block)
          for (let channel = 0; channel < channels; channel++) {
            const value = latents[image * latentSize + cell * channels + channel]! / this.#factor()
            images[i++] = Math.round(Math.min(255, Math.max(0, value)))
          }
        }
      }
    }
    return images
  }

  #factor(): number {
    return 1 / (255 * Math.sqrt(this.spec.latentSize))
  }
}
