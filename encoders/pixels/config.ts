import { z } from 'zod'

/** Settings of the downsampled pixels. */
export const pixelsConfigSchema = z.strictObject({
  block: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('side in pixels of the squares that are averaged; 4 makes 12x12 of 48x48'),
})

export type PixelsConfig = z.infer<typeof pixelsConfigSchema>
