import { z } from 'zod'
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
