/**
 * Armature as a library: contracts, what makes the registered scenes, encoders and agents, and the loops over them.
 *
 * @example
 * await startEngine()
 * const env = await makeEnv('armature/PushPuck-v0')
 * const agent = makeAgent('sac', { observationSize: 4, actionSize: 2 }, new Rng(0))
 * const { observation } = await env.reset({ seed: 0 })
 * const action = await agent.act(observation.state, 1, 'sample')
 */
export { agents, registerAgent } from '../agents/index.ts'
export { encoders, registerEncoder } from '../encoders/index.ts'
export { checkEnv } from '../envs/check.ts'
export { envList, makeEnv, registerEnv } from '../envs/index.ts'
export { simpleEnv } from '../envs/simple-env.ts'
export { presets, registerPreset } from './config/presets.ts'
export type { VectorEnvOptions } from '../envs/vector/index.ts'
export { makeVectorEnv } from '../envs/vector/index.ts'
export {
  actionNoise,
  actionRepeat,
  frameStack,
  latentGoal,
  observationNoise,
  timeLimit,
} from '../envs/wrappers/index.ts'
export { makeAgent, makeEncoder } from './compose/make.ts'
export type { Agent, AgentSpec, ActMode, TransitionBatch } from './core/agent.ts'
export type { FrameBatch } from './core/batches.ts'
export type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from './core/dataset.ts'
export type { BatchRequest, Encoder, EncoderSpec, LearningEncoder } from './core/encoder.ts'
export { encodeGoal, isLearning } from './core/encoder.ts'
export type { EncoderInput, FrameWindow, InputSpec } from './core/encoder-input.ts'
export { encoderInput, goalInput, SINGLE_FRAME } from './core/encoder-input.ts'
export type {
  Env,
  EnvSpec,
  EnvState,
  GoalEnv,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from './core/env.ts'
export { isGoalEnv, isSimulatedEnv } from './core/env.ts'
export type { ErrorCode } from './core/errors.ts'
export { ArmatureError } from './core/errors.ts'
export type { Goal, GoalOutcomes, GoalReward, GoalSource } from './core/goals.ts'
export type { DType, Metrics, NamedArrays, NdArray } from './core/ndarray.ts'
export { ndarray } from './core/ndarray.ts'
export type { GoalView, Policy } from './core/policy.ts'
export type { RngState } from './core/rng.ts'
export { Rng } from './core/rng.ts'
export type { BoxSpace } from './core/spaces.ts'
export { boxSpace, imageSpace } from './core/spaces.ts'
export type {
  AutoresetMode,
  FinalStep,
  VectorEnv,
  VectorObservation,
  VectorResetOptions,
  VectorResetResult,
  VectorStepResult,
} from './core/vector-env.ts'
export { embeddingMeasures } from './evaluate/embedding.ts'
export { collapseVerdict } from './evaluate/measures/collapse.ts'
export { comparePaired } from './evaluate/measures/compare.ts'
export type { EmbeddedEpisode, EmbeddedEpisodes } from './evaluate/measures/embedded-episodes.ts'
export type { Measurement } from './evaluate/measures/measurement.ts'
export type { MeasureTable } from './evaluate/measures/measures.ts'
export { measureEpisodes, measures } from './evaluate/measures/measures.ts'
export { dardDistance, epicDistance } from './evaluate/measures/reward-distance.ts'
export { evaluatePolicy, summarize } from './evaluate/policy.ts'
export { bootstrapInterval, interquartileMean, performanceProfile } from './evaluate/statistics.ts'
export { openDataset } from './io/lerobot/reader.ts'
export { heldOutObjects, splitByEpisode, splitByObject } from './io/lerobot/splits.ts'
export { LeRobotWriter } from './io/lerobot/writer.ts'
export { EpisodeStore } from './replay/episode-store.ts'
export { latentDistanceReward, pixelMseReward } from './replay/rewards.ts'
export { sampleTransitions } from './replay/sampler.ts'
export { collectFrames } from './run/collect.ts'
export { goalBank, priorGoals, stateGoals } from './run/goal-sources.ts'
export { agentPolicy, randomPolicy, stillPolicy } from './run/policies.ts'
export { pretrainEncoder } from './run/pretrain.ts'
export type { EpisodeFeatures, Representation } from './run/representation.ts'
export { encoderRepresentation, proprioRepresentation, stateRepresentation } from './run/representation.ts'
export { Trainer } from './run/trainer.ts'
export type { Program } from './tensor/compile/program.ts'
export { compile, exportOnnx } from './tensor/compile/program.ts'
export type { EngineInfo, EngineOptions } from './tensor/engine.ts'
export { engineInfo, startEngine } from './tensor/engine.ts'
