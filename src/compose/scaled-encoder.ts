import type { Encoder } from '../core/encoder.ts'
import type { FeatureNetwork, FrameTensors } from '../tensor/features.ts'
import { tf } from '../tensor/tf.ts'

/** An encoder that can say its latents as a pure function of tensors, [B, ...] -> [B, latentSize]. */
export interface ExportableEncoder extends Encoder {
  latentFunction(inputs: FrameTensors): tf.Tensor
  /** The same for pictures of goals, where the encoder has `encodeGoal`. */
  goalFunction?(inputs: FrameTensors): tf.Tensor
  /** Features by place, [B, rows, columns, latentSize], where the encoder has `spatialMap`. */
  mapFunction?(inputs: FrameTensors): tf.Tensor
  /** Where it has a network that an agent can share. */
  readonly features?: FeatureNetwork
}

/**
 * `encoder` with its latents multiplied by `factor`, so that what an agent sees and is paid by is of order one whatever the encoder's own
 * unit. Order and ratios of distances stay.
 */
export function scaledEncoder(encoder: Encoder, factor: number): Encoder {
  const scaled = (latents: Float32Array, by = factor): Float32Array => latents.map((x) => x * by)
  return {
    spec: encoder.spec,
    encode: async (input) => scaled(await encoder.encode(input)),
    save: () => encoder.save(),
    restore: (arrays) => encoder.restore(arrays),
    dispose: () => encoder.dispose(),
    ...(encoder.fitStatistics && { fitStatistics: (batch) => encoder.fitStatistics!(batch) }),
    ...(encoder.update && { update: (batch) => encoder.update!(batch) }),
    ...(encoder.evaluate && { evaluate: (batch) => encoder.evaluate!(batch) }),
    ...(encoder.encodeGoal && { encodeGoal: async (input) => scaled(await encoder.encodeGoal!(input)) }),
    ...(encoder.spatialMap && {
      spatialMap: async (input) => {
        const { data, shape } = await encoder.spatialMap!(input)
        return { data: scaled(data), shape }
      },
      mapPlaces: encoder.mapPlaces!,
    }),
    ...(encoder.decode && { decode: (latents, count) => encoder.decode!(scaled(latents, 1 / factor), count) }),
    ...(encoder.imagine && {
      imagine: (rng, start) => scaled(encoder.imagine!(rng, start && scaled(start, 1 / factor))),
    }),
    ...(encoder.fitPrior && { fitPrior: (input) => encoder.fitPrior!(input) }),
    ...(isExportableEncoder(encoder) && scaledTensors(encoder, factor)),
  }
}

function scaledTensors(encoder: ExportableEncoder, factor: number): Omit<ExportableEncoder, keyof Encoder> {
  const { features } = encoder
  return {
    latentFunction: (inputs) => tf.mul(encoder.latentFunction(inputs), factor),
    ...(encoder.goalFunction && { goalFunction: (inputs) => tf.mul(encoder.goalFunction!(inputs), factor) }),
    ...(encoder.mapFunction && { mapFunction: (inputs) => tf.mul(encoder.mapFunction!(inputs), factor) }),
    ...(features && {
      features: { ...features, apply: (weights, frames) => tf.mul(features.apply(weights, frames), factor) },
    }),
  }
}

/** Whether the latents of `encoder` can become part of a graph. */
export function isExportableEncoder(encoder: Encoder): encoder is ExportableEncoder {
  return 'latentFunction' in encoder
}
