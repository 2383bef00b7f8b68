import type { TrainConfigInput } from './train-config.ts'

export interface Preset {
  readonly name: string
  /** One line for `armature list`. */
  readonly summary: string
  readonly config: Omit<TrainConfigInput, 'preset' | 'seed'>
}

const pushPuck = { id: 'armature/PushPuck-v0' }
const pushAgent = { name: 'sac', config: { hidden: [128, 128] } }
const pushTraining = { steps: 40_000, batchSize: 128, learningStarts: 1000 }

const rigPush: Preset['config'] = {
  env: pushPuck,
  representation: { kind: 'encoder', encoder: 'beta-vae' },
  goals: {},
  agent: pushAgent,
  training: pushTraining,
}

/** Known-good configurations: what `armature train <preset>` takes. */
export const presets: readonly Preset[] = [
  { name: 'rig-push', summary: 'RIG: push a puck to imagined goals, from 48x48 pixels', config: rigPush },
  {
    name: 'rig-push-quick',
    summary: 'the same in a few minutes: what "npm start" runs',
    config: rigPush,
  },
  {
    name: 'oracle-push',
    summary: 'the same task from privileged state: SAC with hindsight relabelling, the upper line',
    config: {
      env: pushPuck,
      representation: { kind: 'state' },
      goals: { exploration: 'env' },
      agent: pushAgent,
      training: pushTraining,
    },
  },
  {
    name: 'pixel-mse-push',
    summary: 'RIG with a reward from pixel differences instead of latents: the lower line',
    config: { ...rigPush, goals: { reward: 'pixel-mse' } },
  },
  {
    name: 'sac-pendulum',
    summary: 'SAC from state on Pendulum-v1: the yardstick',
    config: {
      env: { id: 'armature/Pendulum-v1' },
      representation: { kind: 'proprio' },
      agent: { name: 'sac', config: { learningRate: 1e-3 } },
      training: { steps: 10_000, learningStarts: 500 },
    },
  },
]
