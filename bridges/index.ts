/** The bridge between a policy and a robot's controller over ZeroMQ. */
export { PolicyClient } from './client/policy-client.ts'
export type { ActOptions, ChunkOptions, ClientEvent, PolicyClientOptions } from './client/options.ts'
export { connectRemoteEnv, RemoteEnv, RemoteGoalEnv } from './client/remote-env.ts'
export type { RemoteEnvOptions } from './client/remote-env.ts'
export { RobotRefusal } from './client/robot-refusal.ts'
export { RobotServer } from './server/robot-server.ts'
export { runUntilSignal } from './server/run-until-signal.ts'
export type { RunOptions } from './server/run-until-signal.ts'
export type { RobotServerOptions } from './server/options.ts'
export { Authorization } from './zmq/authorization.ts'
export { authorizeKey, createKeyFile, isKey, readAuthorizedKeys, readKeyFile, ROLES } from './zmq/keys.ts'
export type { AuthorizedKey, KeyPair, Role } from './zmq/keys.ts'
export { envRobot } from './adapters/env-robot.ts'
export type { EnvRobotOptions } from './adapters/env-robot.ts'
export { mockRobot } from './adapters/mock-robot.ts'
export type { MockFaults, MockRecord, MockRobot, MockRobotOptions } from './adapters/mock-robot.ts'
export { processRobot } from './adapters/process-robot.ts'
export { ObserverClient } from './client/observer-client.ts'
export type { Arrival, ObservedMessage, ObserverClientOptions } from './client/observer-client.ts'
export { decompressed, Jpeg } from './protocol/jpeg.ts'
export { EpisodeCutter } from './recording/episode-cutter.ts'
export { LogReader } from './recording/log-reader.ts'
export { LogWriter } from './recording/log-writer.ts'
export type { LogWriterOptions } from './recording/log-writer.ts'
export { loadLimits, unlimited } from './safety/limits.ts'
export type { ElementLimits, LimitProfile } from './safety/limits.ts'
export type {
  ActionKind,
  GoalRobot,
  Robot,
  RobotReading,
  RobotResetOptions,
  RobotSpec,
  StopCategory,
} from '../src/core/robot.ts'
export { isGoalRobot } from '../src/core/robot.ts'
export type {
  AnyObservationMessage,
  BridgeMode,
  BridgeState,
  CompressedObservationMessage,
  ErrorMessage,
  EventMessage,
  GoalContent,
  ImageCodec,
  JpegContent,
  MetricsMessage,
  ObservationContent,
  ObservationMessage,
  PolicyTag,
  Watchdogs,
  WelcomeMessage,
} from './protocol/messages.ts'
export type { ClientSecurity, Endpoints } from './zmq/sockets.ts'
export type { ClockSync } from './protocol/clock-sync.ts'
export type { EventContent } from './server/publisher.ts'
export type { HandshakeKeys } from './server/handshake.ts'
export type { Histogram } from './protocol/histogram.ts'
export type { Json, RobotSchema } from './protocol/schema.ts'
export type { Recorded } from './recording/log-format.ts'
export type { ConnectionChange } from './client/session.ts'
export type { Sleep, Time } from './time.ts'
