import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { timeContrastSettings } from '../shared/time-contrast.ts'

/** Settings of TCN. */
export const tcnConfigSchema = z
  .strictObject({
    ...timeContrastSettings,
    latentSize: z.int().min(1).max(256).default(32).describe('dimensions of the embedding, as in the paper'),
    width: z
      .int()
      .min(4)
      .max(128)
      .default(16)
      .describe('channels of the first two convolutions; the next have twice as many'),
    hidden: z.int().min(1).max(4096).default(128).describe('hidden units between positions and embedding'),
    learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
  })
  .refine(
    ({ views, loss }) => views === 'multi' || loss === 'triplet',
    'loss triplet for a single camera: views=multi has both',
  )

export type TcnConfig = z.infer<typeof tcnConfigSchema>

/** `paper`: 16 moments of one episode in each batch and 2,048 hidden units; its convolutions are those of an Inception that knows ImageNet. */
export const tcnPresets: EncoderPresets<z.input<typeof tcnConfigSchema>> = {
  paper: {
    config: { width: 64, hidden: 2048, loss: 'triplet', rowsPerEpisode: 16 },
    updates: 200_000,
    batchSize: 16,
  },
  default: { updates: 700, batchSize: 32 },
  debug: { config: { width: 4, hidden: 16, latentSize: 8, rowsPerEpisode: 4 }, updates: 20, batchSize: 8 },
}
