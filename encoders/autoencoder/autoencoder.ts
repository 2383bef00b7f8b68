import type { FrameBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import { ndarray, sizeOf } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import { Parameters, restoreParts, saveParts, valueAndFlatGradient } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { Constants } from '../shared/constants.ts'
import { centred, checkFrames, decodeLatents, encodeFrames, LEARNS_FROM_FRAMES } from '../shared/frames.ts'
import { decoderNetwork, encoderNetwork } from '../shared/networks.ts'
import { meanOf } from '../shared/spectrum.ts'
import type { AutoencoderConfig } from './config.ts'

type LossInput = 'frames' | 'noise' | 'meanFrame'

/**
 * Autoencoder with the networks of the beta-VAE: what the KL term and the noise of its posterior add is the difference.
 *
 * Minimises  L = |x - d(e(x + noise))|^2,  squared error summed over pixels in [0, 1], averaged over the batch; with
 * `noiseStd` above 0 it is a denoising autoencoder (Vincent et al. 2008). Nothing bounds the latents: their scale is what came
 * out, and there is no prior to imagine goals from.
 */
export class Autoencoder implements Encoder<'frames'> {
  readonly spec: EncoderSpec<'frames'>
  readonly #encoder: Layer
  readonly #decoder: Layer
  readonly #weights: Parameters
  readonly #adam: Adam
  readonly #constants: Constants<'meanFrame'>
  readonly #noiseStd: number
  readonly #rng: Rng
  readonly #update: Program<LossInput | 'adam', 'loss'>
  readonly #evaluate: Program<LossInput, 'loss'>
  readonly #encode: Program<'frames' | 'meanFrame', 'latents'>
  readonly #decode: Program<'latents' | 'meanFrame', 'images'>

  constructor(frameShape: readonly [number, number, number], config: AutoencoderConfig, rng: Rng) {
    const { latentSize, architecture, learningRate, noiseStd } = config
    this.spec = { name: 'autoencoder', frameShape, latentSize, ...LEARNS_FROM_FRAMES }
    this.#noiseStd = noiseStd
    this.#rng = rng
    this.#encoder = encoderNetwork(frameShape, architecture, { name: 'encoder/latent', size: latentSize })
    this.#decoder = decoderNetwork(frameShape[2], architecture, latentSize)
    this.#weights = new Parameters([...this.#encoder.parameters, ...this.#decoder.parameters], rng.split('weights'))
    this.#adam = new Adam(this.#weights, { learningRate })
    this.#constants = new Constants({ meanFrame: ndarray(new Float32Array(sizeOf(frameShape)), frameShape) })

    this.#update = compile('autoencoder update', ({ adam, ...inputs }) => {
      const { values, flatGradient } = valueAndFlatGradient(this.#weights, (weights) => this.#loss(weights, inputs))
      this.#adam.apply(flatGradient, adam)
      return values
    })
    this.#evaluate = compile('autoencoder evaluate', (inputs) => this.#loss(this.#weights.split(), inputs))
    this.#encode = compile('autoencoder encode', ({ frames, meanFrame }) => ({
      latents: this.#encoder.apply(this.#weights.split(), centred(frames, meanFrame)),
    }))
    this.#decode = compile('autoencoder decode', ({ latents, meanFrame }) => {
      const images = tf.add(this.#decoder.apply(this.#weights.split(), latents), meanFrame) // [B, H, W, C]
      return { images: tf.mul(tf.clipByValue(images, 0, 1), 255) }
    })
  }

  /** The latents as a pure function of uint8 frames [B, H, W, C] -> [B, D], with the mean frame baked in: what is exported. */
  latentFunction(frames: tf.Tensor): tf.Tensor {
    const { data, shape } = this.#constants.arrays.meanFrame
    return this.#encoder.apply(this.#weights.split(), centred(frames, tf.tensor(data, [...shape])))
  }

  #loss(weights: Weights, { frames, noise, meanFrame }: Record<LossInput, tf.Tensor>): { readonly loss: tf.Tensor } {
    const x = centred(frames, meanFrame) // [B, H, W, C]
    const latents = this.#encoder.apply(weights, tf.add(x, noise)) // [B, D]
    const squaredError = tf.square(tf.sub(this.#decoder.apply(weights, latents), x))
    return { loss: tf.div(tf.sum(squaredError), x.shape[0]!) }
  }

  async fitStatistics(batch: FrameBatch): Promise<Metrics> {
    checkFrames(this.spec, batch)
    this.#constants.set({ meanFrame: meanOf(batch) })
    return {}
  }

  async update(batch: FrameBatch): Promise<Metrics> {
    const inputs = { ...this.#inputs(batch), noise: this.#noise(batch.count), adam: this.#adam.stepScalars() }
    const { loss } = await this.#update.run(inputs)
    this.#adam.advance()
    return metricsOf(loss)
  }

  /** The loss without noise. */
  async evaluate(batch: FrameBatch): Promise<Metrics> {
    return metricsOf((await this.#evaluate.run({ ...this.#inputs(batch), noise: NO_NOISE })).loss)
  }

  async encode(input: EncoderInput): Promise<Float32Array> {
    return encodeFrames(this.spec, input, async (frames) => {
      return (await this.#encode.run({ frames, ...this.#constants.arrays })).latents
    })
  }

  async decode(latents: Float32Array, count: number): Promise<Uint8Array> {
    return decodeLatents(this.spec, latents, count, async (rows) => {
      return (await this.#decode.run({ latents: rows, ...this.#constants.arrays })).images
    })
  }

  save(): NamedArrays {
    return saveParts(this.#parts())
  }

  restore(arrays: NamedArrays): void {
    restoreParts('autoencoder', this.#parts(), arrays)
  }

  dispose(): void {
    for (const program of [this.#update, this.#evaluate, this.#encode, this.#decode]) program.dispose()
    this.#weights.dispose()
    this.#adam.dispose()
  }

  #parts(): Record<string, Stateful> {
    return { weights: this.#weights, adam: this.#adam, constants: this.#constants }
  }

  #inputs(batch: FrameBatch): Record<'frames' | 'meanFrame', NdArray> {
    checkFrames(this.spec, batch)
    return { frames: ndarray(batch.frames, [batch.count, ...this.spec.frameShape]), ...this.#constants.arrays }
  }

  #noise(count: number): NdArray {
    if (this.#noiseStd === 0) return NO_NOISE
    const shape = [count, ...this.spec.frameShape]
    // A stream per step: nothing of the noise has to be saved to go on from a checkpoint.
    const noise = this.#rng.split(`update/${this.#adam.step}`).fillNormal(new Float32Array(sizeOf(shape)))
    return ndarray(
      noise.map((x) => x * this.#noiseStd),
      shape,
    )
  }
}

/** Broadcasts to every frame. */
const NO_NOISE: NdArray = ndarray(Float32Array.of(0), [1, 1, 1, 1])

function metricsOf({ data }: NdArray): Metrics {
  return { loss: data[0]!, reconstruction: data[0]! }
}
