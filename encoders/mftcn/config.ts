import { z } from 'zod'
import { timeContrastSettings } from '../shared/time-contrast.ts'

/** Settings of mfTCN. */
export const mfTcnConfigSchema = z
  .strictObject({
    ...timeContrastSettings,
    frames: z
      .int()
      .min(1)
      .max(16)
      .default(4)
      .describe('n, frames that one embedding looks at; 1: a single-frame TCN with the same network'),
    stride: z
      .int()
      .min(1)
      .max(16)
      .default(2)
      .describe('s, observations from one to the next: it looks back (n - 1) s + 1'),
    latentSize: z.int().min(1).max(256).default(32).describe('dimensions of the embedding'),
    width: z
      .int()
      .min(4)
      .max(128)
      .default(16)
      .describe('channels of the first convolution; the next have twice as many'),
    hidden: z.int().min(1).max(1024).default(64).describe('hidden units between positions and embedding'),
    learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
  })
  .refine(
    ({ views, loss }) => views === 'multi' || loss === 'triplet',
    'loss triplet for a single camera: views=multi has both',
  )

export type MfTcnConfig = z.infer<typeof mfTcnConfigSchema>
