import type { TrainConfigInput } from './train-config.ts'

export interface Preset {
  readonly name: string
  /** One line for `armature list`. */
  readonly summary: string
  readonly config: Omit<TrainConfigInput, 'preset' | 'seed'>
}
