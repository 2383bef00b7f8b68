import type { PixelRepresentationConfig, TrainConfig, VectorRepresentationConfig } from '../config/train-config.ts'
import type { BatchKind } from '../core/batches.ts'
import type { Encoder } from '../core/encoder.ts'
import { isLearning } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { BatchOptions } from '../replay/batch-sampler.ts'
import { camerasOf, makeSampler } from '../replay/batch-sampler.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { StoreSource } from '../replay/store-source.ts'
import { shapeOfCamera } from '../run/representation.ts'
import type { FeatureNetwork } from '../tensor/features.ts'

/** Whether the agent sees through a network of the encoder that learns along with it. */
export function learnsAlong(
  representation: TrainConfig['representation'],
): representation is PixelRepresentationConfig | VectorRepresentationConfig {
  return representation.kind === 'pixels' || representation.kind === 'vectors'
}

/** The network of an encoder that an agent can learn through. @throws ArmatureError `bad-config` for one without. */
export function featuresOf(encoder: Encoder): FeatureNetwork {
  if ('features' in encoder) return encoder.features as FeatureNetwork
  throw new ArmatureError('bad-config', 'representation.encoder', {
    got: `encoder ${encoder.spec.name}, which has no network to share`,
    fix: 'choose trunk',
  })
}

/** @throws ArmatureError `bad-config` where the error of a model is to pay that no agent earns, or that never learns. */
export function checkBonus(representation: TrainConfig['representation'], encoder: Encoder): void {
  if (encoder.bonus === undefined) return
  const refuse = (setting: string, expected: string, got: string): ArmatureError =>
    new ArmatureError('bad-config', setting, {
      expected: `${expected}, where the error of encoder ${encoder.spec.name} pays`,
      got,
    })
  if (!learnsAlong(representation)) throw refuse('representation.kind', 'pixels or vectors', representation.kind)
  if (representation.ownUpdates === 0) throw refuse('representation.ownUpdates', '1 or more', '0')
}

/** What an encoder needs so that an agent can learn through its network. */
export function checkPixelEncoder(
  { camera, stack, batch: ownBatch }: PixelRepresentationConfig,
  env: Env,
  encoder: Encoder,
  refuse: (setting: string, got: string, fix: string) => ArmatureError,
): void {
  const { batch, window, takesContext } = encoder.spec
  const setting = 'representation.encoder'
  featuresOf(encoder)
  if (window.frames !== stack || takesContext) {
    throw refuse(
      setting,
      'looks at other moments',
      'choose one of single frames; representation.stack sets how many are seen at once',
    )
  }
  if (!isLearning(encoder)) return
  const options = { camera, ...batch.options, ...ownBatch }
  if (camerasOf(batch.kind, camera, options, [camera]).length > 1) {
    throw refuse(setting, 'learns from several cameras', 'choose one of a single camera: replay keeps one')
  }
  // Nothing is drawn from it: what is asked for has to make sense.
  const shape = shapeOfCamera(env.spec, camera)
  const store = new EpisodeStore({ capacity: 2, featureSize: 1, actionSize: 1, frameSize: sizeOf(shape) })
  const source = new StoreSource(store, camera, shape, stack)
  const drawn = orBadConfig(() => makeSampler(batch.kind, source, options as BatchOptions[BatchKind], new Rng(0)))
  if (sizeOf(drawn.frameShape) !== sizeOf(encoder.spec.frameShape)) {
    throw new ArmatureError('bad-config', 'representation.batch', {
      expected: `frames [${encoder.spec.frameShape.join(', ')}]`,
      got: `[${drawn.frameShape.join(', ')}]`,
    })
  }
}

/** Frames that a network cannot take, and batches that cannot be drawn, come from the settings. */
export function orBadConfig<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ArmatureError) || !['bad-shape', 'bad-argument'].includes(error.code)) throw error
    throw new ArmatureError('bad-config', error.message, { cause: error })
  }
}
