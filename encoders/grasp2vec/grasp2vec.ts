import type { GraspTripletBatch } from '../../src/core/batches.ts'
import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { checkInput, SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { EncoderSpec, MapPlaces } from '../../src/core/encoder.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import type { FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { tf } from '../../src/tensor/tf.ts'
import { meanWhere, nPairs } from '../../src/tensor/contrastive.ts'
import { frameArray, scaledFrames } from '../shared/frames.ts'
import type { ConvolutionSpec } from '../shared/networks.ts'
import { convolutions } from '../shared/networks.ts'
import type { LossTerms, Tensors } from '../shared/tensor-encoder.ts'
import { TrainedEncoder } from '../shared/tensor-encoder.ts'
import type { Grasp2VecConfig } from './config.ts'

/** Sums over places are divided by this, so that logits start at about 1: a mean would make one small object next to nothing. */
const POOL_SCALE = 8

/**
 * Grasp2Vec (Jang et al. 2018, "Grasp2Vec: Learning Object Representations from Self-Supervised Grasping"): what the bin has lost is what the
 * gripper holds,  phi_s(before) - phi_s(after) = phi_o(outcome).
 *
 * Minimises  NPairs(d, o) + NPairs(o, d) + w mean |d - o|^2  over grasps that lifted something, with d the difference and o the outcome: the first
 * two are eq. 3, the last is one of the losses of the released code, which would collapse alone. n-pairs care for which o is nearest to d;
 * that they are equal, so that they can be added up, is what the last asks. The latent of a frame is phi_s; that of a goal, a picture of the
 * object wanted, is phi_o. Both are ReLU maps summed over places, so that they count objects, and the inner product of a place of
 * `spatialMap` with a goal says whether it lies there.
 */
export class Grasp2Vec extends TrainedEncoder<'grasp-triplets'> {
  readonly #scene: Layer
  readonly #object: Layer
  readonly #config: Grasp2VecConfig
  readonly #map: Program<'frames', 'map'>
  readonly mapPlaces: MapPlaces

  constructor(frameShape: EncoderSpec['frameShape'], config: Grasp2VecConfig, rng: Rng) {
    const { width: channels, learningRate, flips, outcomeCamera } = config
    const scene = convolutions('scene', frameShape, sceneTower(channels))
    const object = convolutions('object', frameShape, objectTower(channels))
    const mirrors = ['horizontal', 'vertical'].map((axis) => ({ kind: 'flip', axis }))
    const augment = flips ? { augment: mirrors, augmentTogether: false } : {}
    const batch = { kind: 'grasp-triplets', options: { outcomeCamera, ...augment } } as const
    const latentSize = scene.map[2]
    const spec = { name: 'grasp2vec', frameShape, latentSize, batch, window: SINGLE_FRAME, takesContext: false }
    super(spec, { features: scene.layer, heads: [object.layer], learningRate }, rng)
    this.#scene = scene.layer
    this.#object = object.layer
    this.#config = config
    const [[rows, columns], [height, width]] = [scene.map, frameShape]
    this.mapPlaces = { rows, columns, ...SCENE_PLACES, height, width }
    this.#map = this.program('map', ({ frames }) => ({ map: this.mapFunction({ frames }) }))
  }

  protected latents(weights: Weights, { frames }: FrameTensors): tf.Tensor {
    return pooled(this.#scene.apply(weights, scaledFrames(frames))) // [B, D]
  }

  override goalFunction({ frames }: FrameTensors): tf.Tensor {
    return this.#outcome(this.weights.split(), frames)
  }

  /** phi_s before it is summed, [B, h, w, D]. */
  mapFunction({ frames }: FrameTensors): tf.Tensor {
    return this.#scene.apply(this.features.parameters.split(), scaledFrames(frames))
  }

  /** phi_o, [B, D]. */
  #outcome(weights: Weights, frames: tf.Tensor): tf.Tensor {
    return pooled(this.#object.apply(weights, scaledFrames(frames)))
  }

  protected loss(weights: Weights, { before, after, outcome, success }: Tensors): LossTerms {
    const gone = tf.sub(this.latents(weights, { frames: before! }), this.latents(weights, { frames: after! })) // [B, D]
    const held = this.#outcome(weights, outcome!) // [B, D]
    const size = gone.shape[0]!
    // A grasp that lifted nothing has no place in anyone's denominator; its own row counts nowhere.
    const lifted = tf.reshape(success!, [1, size])
    const mask = { rows: success!, columns: tf.maximum(tf.tile(lifted, [size, 1]), tf.eye(size)) }
    const pairs = tf.add(nPairs(gone, held, mask), nPairs(held, gone, mask))
    const apart = meanWhere(tf.sum(tf.square(tf.sub(gone, held)), 1), success!)
    const loss = tf.add(pairs, tf.mul(apart, this.#config.equality))
    if (this.#config.failures === 'leave-out') return { loss, pairs, apart }
    const unchanged = meanWhere(tf.sum(tf.square(gone), 1), tf.sub(1, success!))
    return { loss: tf.add(loss, unchanged), pairs, apart, unchanged }
  }

  protected inputs({ before, after, outcome, success, count }: GraspTripletBatch): Record<string, NdArray> {
    return {
      before: frameArray(this.spec, before, count),
      after: frameArray(this.spec, after, count),
      outcome: frameArray(this.spec, outcome, count),
      success: ndarray(Float32Array.from(success), [count]),
    }
  }

  /**
   * phi_s before it is summed, [count, H / 4, W / 4, D]: its inner product with phi_o of an object is high where that lies.
   */
  async spatialMap(input: EncoderInput): Promise<NdArray<Float32Array>> {
    checkInput(this.spec, input)
    const { map } = await this.#map.run({ frames: frameArray(this.spec, input.frames, input.count) })
    return map as NdArray<Float32Array>
  }
}

/** Looks at 15 pixels around each fourth: little more than an object, so that it is found where it lies. */
function sceneTower(width: number): ConvolutionSpec {
  return [
    [width, 2],
    [2 * width, 2],
    [3 * width, 1],
  ]
}

/** Pixels of its map, see `MapPlaces`: `same` padding is more to the lower right. */
const SCENE_PLACES = { first: 3.5, stride: 4 }

/** What is held up is larger in its picture: this looks at 23 pixels around each eighth. */
function objectTower(width: number): ConvolutionSpec {
  return [
    [width, 2],
    [2 * width, 2],
    [2 * width, 1],
    [3 * width, 2],
  ]
}

/** Sum over places, [B, h, w, D] -> [B, D]. */
function pooled(maps: tf.Tensor): tf.Tensor {
  return tf.div(tf.sum(maps, [1, 2]), POOL_SCALE)
}
