import { z } from 'zod'
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
    hidden: z.int().min(1).max(1024).default(128).describe('hidden units between positions and embedding'),
    learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
  })
  .refine(
    ({ views, loss }) => views === 'multi' || loss === 'triplet',
    'loss triplet for a single camera: views=multi has both',
  )

export type TcnConfig = z.infer<typeof tcnConfigSchema>
