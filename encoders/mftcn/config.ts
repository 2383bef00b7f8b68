import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { timeContrastSettings } from '../shared/time-contrast.ts'

/** Settings of mfTCN. */
export const mfTcnConfigSchema = z
  .strictObject({
    ...timeContrastSettings,
    // All episodes of a scene that looks the same each time: what is near in place differs in speed.
    negatives: timeContrastSettings.negatives.default('batch'),
    rowsPerEpisode: timeContrastSettings.rowsPerEpisode.default(4),
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
    reversed: z
      .boolean()
      .default(true)
      .describe(
        'whether windows shown backwards are negatives too: where places alone tell moments apart, speeds would be left out (n-pairs only)',
      ),
    latentSize: z.int().min(1).max(256).default(32).describe('dimensions of the embedding'),
    width: z
      .int()
      .min(4)
      .max(128)
      .default(16)
      .describe('channels of the first convolution; the next have twice as many'),
    hidden: z.int().min(1).max(4096).default(64).describe('hidden units between positions and embedding'),
    learningRate: z.number().gt(0).max(0.1).default(1e-3).describe('Adam step size'),
  })
  .refine(
    ({ views, loss }) => views === 'multi' || loss === 'triplet',
    'loss triplet for a single camera: views=multi has both',
  )

export type MfTcnConfig = z.infer<typeof mfTcnConfigSchema>

/** `paper`: five frames, and TCN's batches and head; there is no released code. */
export const mfTcnPresets: EncoderPresets<z.input<typeof mfTcnConfigSchema>> = {
  paper: {
    config: { frames: 5, width: 64, hidden: 2048, rowsPerEpisode: 16, negatives: 'episode', reversed: false },
    updates: 200_000,
    batchSize: 16,
  },
  default: { updates: 3000, batchSize: 32 },
  debug: {
    config: { frames: 2, stride: 1, width: 4, hidden: 16, latentSize: 8, rowsPerEpisode: 4 },
    updates: 20,
    batchSize: 8,
  },
}
