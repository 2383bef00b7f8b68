import type { BatchKind, FrameBatch } from '../core/batches.ts'
import { requireWhole } from '../core/checks.ts'
import type { EncoderInput, InputSpec } from '../core/encoder-input.ts'
import { encoderInput, SINGLE_FRAME } from '../core/encoder-input.ts'
import type { Rng } from '../core/rng.ts'
import type { BatchOptions, BatchSampler } from '../replay/batch-sampler.ts'
import { makeSampler } from '../replay/batch-sampler.ts'
import type { EpisodeSource } from '../replay/episode-source.ts'
import type { PretrainData } from './pretrain.ts'

/** Something for the episodes that are learned from, and for those that are held out. */
export interface Sides<T> {
  readonly training: T
  readonly validation: T
}

/** Which batches are drawn. */
export interface EncoderDataOptions<K extends BatchKind> {
  readonly kind: K
  /** Whose frames are learned from and encoded. */
  readonly camera: string
  /** Further options of the sampler. */
  readonly sampler?: Readonly<Record<string, unknown>>
  readonly batchSize: number
}

/** Observations that are single frames. */
const ALONE = { window: SINGLE_FRAME, takesContext: false } as const

/** What an encoder learns from, out of two sources of episodes: no episode is on both sides. */
export class EncoderData<K extends BatchKind> implements PretrainData<K> {
  readonly #sources: Sides<EpisodeSource>
  readonly #samplers: Sides<BatchSampler<K>>
  readonly #camera: string
  readonly #batchSize: number

  /**
   * @param rngs draw the batches of each side, augmentations included
   * @param seeds draws the augmentations instead, see {@link makeSampler}
   * @throws ArmatureError as {@link makeSampler}
   */
  constructor(
    sources: Sides<EpisodeSource>,
    { kind, camera, sampler, batchSize }: EncoderDataOptions<K>,
    rngs: Sides<Rng>,
    seeds?: Rng,
  ) {
    requireWhole('rows of a batch', batchSize, 1)
    const options = { ...(kind === 'multi-view' ? {} : { camera }), ...sampler } as BatchOptions[K]
    this.#sources = sources
    this.#camera = camera
    this.#batchSize = batchSize
    this.#samplers = {
      training: makeSampler(kind, sources.training, options, rngs.training, seeds),
      validation: makeSampler(kind, sources.validation, options, rngs.validation, seeds),
    }
  }

  training(): ReturnType<BatchSampler<K>['sample']> {
    return this.#samplers.training.sample(this.#batchSize)
  }

  validation(): ReturnType<BatchSampler<K>['sample']> {
    return this.#samplers.validation.sample(this.#batchSize)
  }

  /** Up to `limit` frames of one side, evenly spread over its episodes; `firstOnly`: the first of each episode. */
  frames(side: keyof Sides<unknown>, limit = Infinity, firstOnly = false): FrameBatch {
    const frameShape = this.#sources[side].cameras[this.#camera]!
    return this.inputs({ name: 'frames', frameShape, ...ALONE }, side, limit, firstOnly)
  }

  /** The same observations as inputs of an encoder. */
  inputs(spec: InputSpec, side: keyof Sides<unknown>, limit = Infinity, firstOnly = false): EncoderInput {
    return inputsOf(this.#sources[side], this.#camera, spec, limit, firstOnly)
  }

  /** What is known of these observations, see {@link truthOf}. */
  truth(side: keyof Sides<unknown>, limit = Infinity): Truth | undefined {
    return truthOf(this.#sources[side], limit)
  }
}

/** Up to `limit` observations of `source` as inputs of an encoder, evenly spread; `firstOnly`: the first of each episode. */
export function inputsOf(
  source: EpisodeSource,
  camera: string,
  spec: InputSpec,
  limit = Infinity,
  firstOnly = false,
): EncoderInput {
  const places = evenPlaces(source, limit, firstOnly)
  const times = places.map(([, time]) => time)
  return encoderInput(spec, times, (row, time) => source.frameAt(places[row]![0], time, camera))
}

/** What is known of the observations of {@link inputsOf} besides their frames: the state, or else proprioception, and the episode. */
export interface Truth {
  /** [count, size] */
  readonly states: Float32Array
  /** Number of the episode of each row. */
  readonly episodes: Int32Array
}

/** The same observations as {@link inputsOf} gives; undefined where neither states nor proprioception were recorded. */
export function truthOf(source: EpisodeSource, limit = Infinity): Truth | undefined {
  const places = evenPlaces(source, limit, false)
  const statesAt = ([episode, time]: Place): Float32Array => {
    const state = source.stateAt(episode, time)
    return state.length > 0 ? state : source.proprioAt(episode, time)
  }
  const states = Float32Array.from(places.flatMap((place) => [...statesAt(place)]))
  if (states.length === 0) return undefined
  return { states, episodes: Int32Array.from(places, ([episode]) => episode) }
}

type Place = readonly [episode: number, time: number]

function evenPlaces(source: EpisodeSource, limit: number, firstOnly: boolean): readonly Place[] {
  const places: Place[] = []
  for (let episode = 0; episode < source.episodeCount; episode++) {
    const length = firstOnly ? 1 : source.lengthOf(episode)
    for (let time = 0; time < length; time++) places.push([episode, time])
  }
  const count = Math.min(limit, places.length)
  return Array.from({ length: count }, (_, row) => places[Math.floor((row * places.length) / count)]!)
}
