import { isLearning } from '../core/encoder.ts'
import type { GoalReward, GoalSource } from '../core/goals.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import { EpisodeStore } from '../replay/episode-store.ts'
import { latentDistanceReward, pixelMseReward } from '../replay/rewards.ts'
import { goalBank, priorGoals, priorGoalsWithFrames, stateGoals } from '../run/goal-sources.ts'
import type { TrainerParts } from '../run/trainer.ts'
import { Trainer } from '../run/trainer.ts'
import type { GoalConfig, Parts } from './parts.ts'
import { goalEnv } from './parts.ts'

/** Goals in a bank: enough that a batch hardly repeats one, few enough to decode or render in a second. */
const GOAL_BANK_SIZE = 1000

/** The loop over `parts`, once the encoder is trained: only now do goals and rewards mean anything. */
export async function buildTrainer(parts: Parts): Promise<Trainer> {
  const { config, env, robot, encoder, representation, agent } = parts
  const rng = new Rng(config.seed)
  const reward = config.goals && buildReward(config.goals)
  const learned = config.representation.kind === 'encoder' ? config.representation : undefined
  const refresh = learned && { ...learned.refresh, batchSize: learned.pretrain.batchSize }
  const keepsFrames = reward?.needsFrames === true || (refresh?.everySteps ?? 0) > 0
  const store = new EpisodeStore({
    capacity: config.replay.capacity,
    featureSize: representation.size,
    actionSize: sizeOf(env.spec.actionSpace.shape),
    frameSize: keepsFrames && encoder ? sizeOf(encoder.spec.frameShape) : 0,
  })
  const trainerParts: TrainerParts = {
    env,
    representation,
    agent,
    store,
    sampling: { gamma: config.replay.gamma, nStep: config.replay.nStep },
    keepsEpisodesWhole: robot !== undefined && !robot.isLockstep,
    ...(reward && config.goals
      ? { goals: await buildGoals(parts, config.goals, reward, keepsFrames, rng.split('goals').seed) }
      : {}),
    ...(encoder && isLearning(encoder) && refresh && refresh.everySteps > 0
      ? { refresh: { encoder, ...refresh } }
      : {}),
  }
  return new Trainer(trainerParts, config.training, rng.split('trainer'))
}

function buildReward({ reward, rewardScale }: GoalConfig): GoalReward {
  return reward === 'pixel-mse' ? pixelMseReward(rewardScale) : latentDistanceReward(rewardScale)
}

async function buildGoals(
  { env, encoder, representation }: Parts,
  goals: GoalConfig,
  reward: GoalReward,
  withFrames: boolean,
  seed: number,
): Promise<NonNullable<TrainerParts['goals']>> {
  const source = async (): Promise<GoalSource> => {
    if (goals.exploration === 'prior') {
      return withFrames ? priorGoalsWithFrames(encoder!, GOAL_BANK_SIZE, seed) : priorGoals(encoder!)
    }
    const scene = goalEnv(env)
    return encoder === undefined
      ? stateGoals(scene, representation)
      : goalBank(scene, representation, GOAL_BANK_SIZE, seed)
  }
  const exploration = await source()
  return { exploration, sampling: { mix: goals.relabel, source: exploration, reward } }
}
