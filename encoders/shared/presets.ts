/** The presets that every encoder of the catalogue that learns has. */
export const PRESET_NAMES = ['paper', 'default', 'debug'] as const

/** `paper`: what was published, as far as the method is built here; `default`: minutes on two cores; `debug`: seconds, learns little. */
export type PresetName = (typeof PRESET_NAMES)[number]

/** Known-good settings of one encoder, `Config` those that its schema takes, and how long to train it with them. */
export interface EncoderPreset<Config extends object = Readonly<Record<string, unknown>>> {
  /** What differs from the defaults of the schema. */
  readonly config?: Readonly<Config>
  /** Gradient steps. */
  readonly updates: number
  /** Rows of a batch; of the time-contrastive methods moments, each seen by every camera. */
  readonly batchSize: number
}

export type EncoderPresets<Config extends object = Readonly<Record<string, unknown>>> = Readonly<
  Record<PresetName, EncoderPreset<Config>>
>
