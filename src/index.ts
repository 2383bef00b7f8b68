/// <reference types="node" preserve="true" />
/**
 * Armature as a library: contracts, what makes the registered scenes, encoders and agents, and the loops over them.
 *
 * The package has three more doors: `armature/bridge` (robots and policies over ZeroMQ alone), `armature/scenes` (what scenes of your own
 * are built from) and `armature/tensor` (TensorFlow.js, layers and the compiler, for encoders and agents of your own).
 *
 * @example
 * await startEngine()
 * const env = await makeEnv('armature/PushPuck-v0')
 * const agent = makeAgent('sac', { observationSize: 4, actionSize: 2 }, new Rng(0))
 * const { observation } = await env.reset({ seed: 0 })
 * const action = await agent.act(observation.state, 1, 'sample')
 */
export type { AgentEntry } from '../agents/index.ts'
export { agents, registerAgent } from '../agents/index.ts'
export * from '../bridges/index.ts'
export type { EncoderEntry } from '../encoders/index.ts'
export { encoders, registerEncoder } from '../encoders/index.ts'
export type { CameraSpec, ImageSize } from '../envs/camera/camera.ts'
export type { Scene } from '../envs/camera/scene.ts'
export type { CheckOptions, CheckResult } from '../envs/check.ts'
export { checkEnv } from '../envs/check.ts'
export type { Expert, ExpertFactory } from '../envs/experts/expert.ts'
export type { EnvEntry, OwnEnv } from '../envs/index.ts'
export { envList, makeEnv, registerEnv } from '../envs/index.ts'
export type { OptionReader, Values } from '../envs/options.ts'
export type { SceneOptions } from '../envs/scene-options.ts'
export { sceneEnv } from '../envs/scene-env.ts'
export { readSceneOptions } from '../envs/scene-options.ts'
export type { Dynamics, SimpleEnvSpec, SimpleStep } from '../envs/simple-env.ts'
export { simpleEnv } from '../envs/simple-env.ts'
export type { GoalTask, Task, TaskSpec, TaskState } from '../envs/task.ts'
export type { CopiesOptions, EnvCopies } from '../envs/vector/env-copies.ts'
export { copiesOf } from '../envs/vector/env-copies.ts'
export type { VectorEnvOptions } from '../envs/vector/index.ts'
export { makeVectorEnv } from '../envs/vector/index.ts'
export { loadAgent, saveAgent } from './compose/agent-file.ts'
export { resolveConfig } from './compose/config.ts'
export type { ExportableGoalForm } from './compose/goal-form.ts'
export type { GoalFormEntry } from './compose/goal-forms.ts'
export { differenceForm, goalForm, goalForms, registerGoalForm } from './compose/goal-forms.ts'
export type { GoalRewardEntry } from './compose/goal-rewards.ts'
export { goalRewards, latentDistanceReward, pixelMseReward, registerGoalReward } from './compose/goal-rewards.ts'
export type { GoalSourceEntry, GoalSourceParts } from './compose/goal-sources.ts'
export { goalBank, goalSources, priorGoals, registerGoalSource, stateGoals } from './compose/goal-sources.ts'
export type { LoadOptions, TrainedRun } from './compose/load-run.ts'
export { loadRun } from './compose/load-run.ts'
export { makeAgent, makeEncoder } from './compose/make.ts'
export type { Parts, RobotConnector } from './compose/parts.ts'
export { buildParts } from './compose/parts.ts'
export type { TrainAgentOptions, TrainedAgent } from './compose/train-agent.ts'
export { trainAgent } from './compose/train-agent.ts'
export { buildTrainer } from './compose/trainer.ts'
export type { TrainRunOptions } from './compose/train-run.ts'
export { trainRun } from './compose/train-run.ts'
export type { Preset } from './config/preset.ts'
export { presets, registerPreset } from './config/presets.ts'
export type { TrainConfig, TrainConfigInput } from './config/train-config.ts'
export type { Agent, AgentSpec, ActMode, TransitionBatch } from './core/agent.ts'
export type {
  AugmentedPairBatch,
  Batches,
  BatchKind,
  ContextBatch,
  EpisodeBatch,
  FrameBatch,
  FrameTupleBatch,
  GraspTripletBatch,
  MultiViewBatch,
  PixelTransitionBatch,
} from './core/batches.ts'
export type { Dataset, DatasetSpec, EpisodeData, EpisodeInfo } from './core/dataset.ts'
export type { BatchRequest, Encoder, EncoderSpec, LearningEncoder, SeenSteps } from './core/encoder.ts'
export { encodeGoal, isLearning } from './core/encoder.ts'
export type { EncoderInput, FrameWindow, InputData, InputShape, InputSpec, StackShape } from './core/encoder-input.ts'
export { encoderInput, goalInput, SINGLE_FRAME } from './core/encoder-input.ts'
export type {
  CameraEnv,
  CameraMatrices,
  Env,
  EnvSpec,
  EnvState,
  GoalEnv,
  Info,
  Observation,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  SimulatedGoalEnv,
  StepResult,
} from './core/env.ts'
export { isCameraEnv, isGoalEnv, isSimulatedEnv } from './core/env.ts'
export type { ErrorCode, ErrorParts } from './core/errors.ts'
export { ArmatureError } from './core/errors.ts'
export type { EpisodeStart, Goal, GoalForm, GoalOutcomes, GoalReward, GoalSource } from './core/goals.ts'
export type { Learner } from './core/learner.ts'
export type { DType, Metrics, NamedArrays, NdArray, NdData } from './core/ndarray.ts'
export { ndarray, sizeOf } from './core/ndarray.ts'
export type { GoalView, Policy } from './core/policy.ts'
export type { RngState } from './core/rng.ts'
export { Rng } from './core/rng.ts'
export type { BoxSpace } from './core/spaces.ts'
export { boxSpace, imageSpace, sampleSpace, symmetricSpace } from './core/spaces.ts'
export type {
  AutoresetMode,
  FinalStep,
  VectorEnv,
  VectorObservation,
  VectorResetOptions,
  VectorResetResult,
  VectorStepResult,
} from './core/vector-env.ts'
export type { EmbeddingData } from './evaluate/embedding.ts'
export { embeddingMeasures } from './evaluate/embedding.ts'
export type { CollapseVerdict } from './evaluate/measures/collapse.ts'
export { collapseVerdict } from './evaluate/measures/collapse.ts'
export type { PairedComparison } from './evaluate/measures/compare.ts'
export { comparePaired } from './evaluate/measures/compare.ts'
export type {
  EmbeddedEpisode,
  EmbeddedEpisodes,
  FeasibleNext,
  TrueDistance,
} from './evaluate/measures/embedded-episodes.ts'
export type { Direction, Measure, Measurement } from './evaluate/measures/measurement.ts'
export type { MeasureOptions, MeasureTable, Evidence } from './evaluate/measures/measures.ts'
export { measureEpisodes, measures } from './evaluate/measures/measures.ts'
export type { NextStep, RewardSample, StepReward } from './evaluate/measures/reward-distance.ts'
export { dardDistance, epicDistance } from './evaluate/measures/reward-distance.ts'
export type { EpisodeResult, EvaluationLane, EvaluationOptions } from './evaluate/policy.ts'
export { EVALUATION_SEED, evaluatePolicy, summarize } from './evaluate/policy.ts'
export type { BootstrapOptions, Interval } from './evaluate/statistics.ts'
export { bootstrapInterval, interquartileMean, performanceProfile } from './evaluate/statistics.ts'
export { openDataset } from './io/lerobot/reader.ts'
export type { ObjectSplit } from './io/lerobot/splits.ts'
export { heldOutObjects, splitByEpisode, splitByObject } from './io/lerobot/splits.ts'
export type { LeRobotWriterOptions } from './io/lerobot/writer.ts'
export { LeRobotWriter } from './io/lerobot/writer.ts'
export type { BatchOptions, BatchSampler } from './replay/batch-sampler.ts'
export { makeSampler } from './replay/batch-sampler.ts'
export type { EpisodeSource } from './replay/episode-source.ts'
export type { FrameShape } from './core/frame-fit.ts'
export type { EpisodeStoreOptions } from './replay/episode-store.ts'
export { EpisodeStore } from './replay/episode-store.ts'
export type { RelabelMix } from './replay/relabel.ts'
export type { GoalSampling, SamplerOptions } from './replay/sampler.ts'
export { sampleTransitions } from './replay/sampler.ts'
export type { CollectOptions } from './run/collect.ts'
export { collectEpisodes } from './run/collect.ts'
export { agentPolicy, randomPolicy, stillPolicy } from './run/policies.ts'
export type { PretrainData, PretrainOptions } from './run/pretrain.ts'
export { EncoderData } from './run/encoder-data.ts'
export { pretrainEncoder } from './run/pretrain.ts'
export type { EpisodeFeatures, Representation } from './run/representation.ts'
export {
  encoderRepresentation,
  proprioRepresentation,
  stateRepresentation,
  wholeStateRepresentation,
} from './run/representation.ts'
export type { StepBonus } from './run/lane.ts'
export type { TrainerHooks, TrainerParts, TrainerSchedule, TrainerState } from './run/trainer.ts'
export { Trainer } from './run/trainer.ts'
export type { EngineInfo, EngineName, EngineOptions } from './tensor/engine.ts'
export { engineInfo, startEngine } from './tensor/engine.ts'
export { z } from 'zod'
