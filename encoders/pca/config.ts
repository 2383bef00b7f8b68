import { z } from 'zod'

/** Settings of the principal components. */
export const pcaConfigSchema = z.strictObject({
  latentSize: z.int().min(1).max(128).default(16).describe('components that are kept'),
})

export type PcaConfig = z.infer<typeof pcaConfigSchema>
