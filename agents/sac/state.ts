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

/** How what is seen becomes s [B, size]: [features | vector], the vector normalised where that is asked for. */
export class StateMap {
  readonly size: number
  readonly features: FeatureNetwork | undefined
  readonly moments: RunningMoments | undefined
  readonly #observationSize: number

  /** @param features what frames are looked at through; it stays with whoever made it. */
  constructor(observationSize: number, normalize: boolean, features: FeatureNetwork | undefined) {
    this.#observationSize = observationSize
    this.features = features
    this.moments = normalize && observationSize > 0 ? new RunningMoments(observationSize) : undefined
    this.size = (features?.size ?? 0) + observationSize
  }

  /** s by the weights of a feature network, which stand in `weights`; gradients flow into them. */
  of(weights: Weights, view: View): tf.Tensor {
    if (this.features === undefined) return this.#vector(view)
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
      ...(this.features && { frames: inputs['nextFrames'] }),
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
      ...(this.features && { [framesName!]: ndarray(frames!, shape) }),
    }
  }

  #vector({ observation }: View): tf.Tensor {
    return this.moments?.normalize(observation!) ?? observation!
  }
}
