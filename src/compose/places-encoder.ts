import type { Encoder } from '../core/encoder.ts'
import { encodeGoal } from '../core/encoder.ts'
import { ArmatureError } from '../core/errors.ts'
import { tf } from '../tensor/tf.ts'
import type { ExportableEncoder } from './scaled-encoder.ts'
import { isExportableEncoder } from './scaled-encoder.ts'

/**
 * `encoder` with its features by place for a latent, row by row, [rows * columns * latentSize]; goals stay vectors [latentSize]. It looks, and
 * does not learn.
 * @throws ArmatureError `bad-config` for an encoder without such features
 */
export function placesEncoder(encoder: Encoder): Encoder {
  const { spec, mapPlaces } = encoder
  if (encoder.spatialMap === undefined || mapPlaces === undefined) {
    throw new ArmatureError('bad-config', 'representation.places', {
      expected: 'an encoder that knows features by place, such as grasp2vec',
      got: spec.name,
    })
  }
  const { rows, columns } = mapPlaces
  const places: Encoder = {
    spec: { ...spec, latentSize: rows * columns * spec.latentSize },
    goalSize: spec.latentSize,
    mapPlaces,
    encode: async (input) => (await encoder.spatialMap!(input)).data,
    encodeGoal: (input) => encodeGoal(encoder, input),
    save: () => encoder.save(),
    restore: (arrays) => encoder.restore(arrays),
    dispose: () => encoder.dispose(),
  }
  if (!isExportableEncoder(encoder) || encoder.mapFunction === undefined) return places
  const exportable: ExportableEncoder = {
    ...places,
    latentFunction: (inputs) => tf.reshape(encoder.mapFunction!(inputs), [-1, places.spec.latentSize]),
    goalFunction: (inputs) => encoder.goalFunction?.(inputs) ?? encoder.latentFunction(inputs),
  }
  return exportable
}
