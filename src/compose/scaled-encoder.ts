import type { Encoder } from '../core/encoder.ts'
import { tf } from '../tensor/tf.ts'

/** An encoder that can say its latents as a pure function of uint8 frames [B, H, W, C] -> [B, D]. */
export interface ExportableEncoder extends Encoder {
  latentFunction(frames: tf.Tensor): tf.Tensor
}

/**
 * `encoder` with its latents multiplied by `factor`, so that what an agent sees and is paid by is of order one whatever the encoder's own
 * unit. Order and ratios of distances stay.
 */
export function scaledEncoder(encoder: Encoder, factor: number): Encoder {
  const scaled = (latents: Float32Array, by: number): Float32Array => latents.map((x) => x * by)
  const latentFunction = (frames: tf.Tensor): tf.Tensor =>
    tf.mul(isExportableEncoder(encoder) ? encoder.latentFunction(frames) : frames, factor)
  return {
    spec: encoder.spec,
    encode: async (input) => scaled(await encoder.encode(input), factor),
    save: () => encoder.save(),
    restore: (arrays) => encoder.restore(arrays),
    dispose: () => encoder.dispose(),
    ...('fitStatistics' in encoder && { fitStatistics: (batch) => encoder.fitStatistics!(batch) }),
    ...('update' in encoder && { update: (batch) => encoder.update!(batch) }),
    ...('evaluate' in encoder && { evaluate: (batch) => encoder.evaluate!(batch) }),
    ...('encodeGoal' in encoder && { encodeGoal: async (input) => scaled(await encoder.encodeGoal!(input), factor) }),
    ...('spatialMap' in encoder && {
      spatialMap: async (input) => {
        const { data, shape } = await encoder.spatialMap!(input)
        return { data: scaled(data, factor), shape }
      },
    }),
    ...('decode' in encoder && { decode: (latents, count) => encoder.decode!(scaled(latents, 1 / factor), count) }),
    ...('imagine' in encoder && {
      imagine: (rng, start) => scaled(encoder.imagine!(rng, start && scaled(start, 1 / factor)), factor),
    }),
    ...('fitPrior' in encoder && { fitPrior: (input) => encoder.fitPrior!(input) }),
    ...(isExportableEncoder(encoder) && { latentFunction }),
  }
}

/** Whether the latents of `encoder` can become part of a graph. */
export function isExportableEncoder(encoder: Encoder): encoder is ExportableEncoder {
  return 'latentFunction' in encoder
}
