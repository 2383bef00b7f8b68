import { z } from 'zod'
import type { EncoderPresets } from '../shared/presets.ts'
import { trunkSettings } from '../shared/trunk-config.ts'

/** Settings of CURL. */
export const curlConfigSchema = z.strictObject({
  ...trunkSettings,
  maxShiftPixels: z
    .int()
    .min(1)
    .max(16)
    .default(3)
    .describe('random shift of both views, in pixels; the paper crops 84 of 100, which is up to 8 either way'),
  momentum: z
    .number()
    .gt(0)
    .max(1)
    .default(0.05)
    .describe('share by which the key network follows after each update (tau)'),
})

export type CurlConfig = z.infer<typeof curlConfigSchema>

/** `paper`: networks and batches of the paper, shifts as far as its crops move. */
export const curlPresets: EncoderPresets<z.input<typeof curlConfigSchema>> = {
  paper: {
    config: { latentSize: 50, filters: 32, maxShiftPixels: 8, momentum: 0.05 },
    updates: 100_000,
    batchSize: 512,
  },
  default: { updates: 3000, batchSize: 64 },
  debug: { config: { latentSize: 8, filters: 4, layers: 2 }, updates: 20, batchSize: 8 },
}
