import { ArmatureError } from '../../src/core/errors.ts'
import type { NdArray } from '../../src/core/ndarray.ts'
import { ndarray } from '../../src/core/ndarray.ts'
import type { FeatureNetwork } from '../../src/tensor/features.ts'
import type { Weights } from '../../src/tensor/parameters.ts'
import { RunningMoments } from '../../src/tensor/running-moments.ts'
import { tf } from '../../src/tensor/tf.ts'

/** What is seen of one moment: [B, observationSize] where there are any, uint8 [B, ...frameShape] where frames are looked at. */
export interface View {
  readonly observation?: tf.Tensor | undefined
  readonly frames?: tf.Tensor | undefined
}

/**
 * How what is seen becomes s [B, size]: [features of frames | vector], the vector normalised where that is asked for; or the features of the
 * vector, where the network looks at that.
 */
export class StateMap {
  readonly size: number
  readonly features: FeatureNetwork | undefined
  readonly moments: RunningMoments | undefined
  readonly #observationSize: number
  readonly #seesFrames: boolean

  /**
   * @param features what frames, or the vector, are looked at through; it stays with whoever made it.
   * @throws ArmatureError `bad-config` for a vector that is normalised before a network sees it
   */
  constructor(observationSize: number, normalize: boolean, features: FeatureNetwork | undefined) {
    this.#observationSize = observationSize
    this.features = features
    this.moments = normalize && observationSize > 0 ? new RunningMoments(observationSize) : undefined
    const isThroughNetwork = features?.isVector === true
    if (isThroughNetwork && normalize) {
      throw new ArmatureError('bad-config', 'agent.config.normalizeObservations', {
        expected: 'false, where a network looks at the vector: it learns from the numbers as they are besides',
        got: 'true',
      })
    }
    this.#seesFrames = features !== undefined && !isThroughNetwork
    this.size = (features?.size ?? 0) + (isThroughNetwork ? 0 : observationSize)
  }

  /** s by the weights of a feature network, which stand in `weights`; gradients flow into them. */
  of(weights: Weights, view: View): tf.Tensor {
    if (this.features === undefined) return this.#vector(view)
    if (!this.#seesFrames) return this.features.apply(weights, view.observation!)
    const seen = this.features.apply(weights, view.frames!)
    return this.#observationSize === 0 ? seen : tf.concat([seen, this.#vector(view)], 1)
  }

  /** s by the feature network as it is. */
  now(view: View): tf.Tensor {
    return this.of(this.features?.parameters.split() ?? {}, view)
  }

  /** s' of the inputs of an update, see {@link inputs}. */
  next(inputs: Readonly<Record<string, tf.Tensor>>): View {
    return {
      ...(this.#observationSize > 0 && { observation: inputs['nextObservation'] }),
      ...(this.#seesFrames && { frames: inputs['nextFrames'] }),
    }
  }

  /** Inputs of a program for `count` views, none without elements: `observation` and `frames`, or `nextObservation` and `nextFrames`. */
  inputs(
    count: number,
    observation: Float32Array,
    frames: Uint8Array | undefined,
    time: 'now' | 'next' = 'now',
  ): Record<string, NdArray> {
    const shape = [count, ...(this.features?.inputShape ?? [])]
    const [vectorName, framesName] = time === 'now' ? ['observation', 'frames'] : ['nextObservation', 'nextFrames']
    return {
      ...(this.#observationSize > 0 && { [vectorName!]: ndarray(observation, [count, this.#observationSize]) }),
      ...(this.#seesFrames && { [framesName!]: ndarray(frames!, shape) }),
    }
  }

  #vector({ observation }: View): tf.Tensor {
    return this.moments?.normalize(observation!) ?? observation!
  }
}
