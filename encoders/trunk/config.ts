import { z } from 'zod'
import { trunkSettings, vectorTrunkSettings } from '../shared/trunk-config.ts'

/** Settings of the bare trunk. */
export const trunkConfigSchema = z.strictObject({
  latentSize: trunkSettings.latentSize,
  filters: trunkSettings.filters,
  layers: trunkSettings.layers,
  readout: trunkSettings.readout,
  ...vectorTrunkSettings,
})

export type TrunkConfig = z.infer<typeof trunkConfigSchema>
