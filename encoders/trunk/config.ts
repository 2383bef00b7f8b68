import { z } from 'zod'
import { trunkSettings } from '../shared/trunk-config.ts'

/** Settings of the bare trunk. */
export const trunkConfigSchema = z.strictObject({
  latentSize: trunkSettings.latentSize,
  filters: trunkSettings.filters,
  layers: trunkSettings.layers,
})

export type TrunkConfig = z.infer<typeof trunkConfigSchema>
