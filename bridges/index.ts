/** The bridge between a policy and a robot's controller over ZeroMQ. */
export { PolicyClient } from './policy-client.ts'
export type { ActOptions, ChunkOptions, ClientEvent, PolicyClientOptions } from './policy-client.ts'
export { RobotServer } from './robot-server.ts'
export type { RobotServerOptions } from './robot-server.ts'
export { Authorization } from './zmq/authorization.ts'
export { authorizeKey, createKeyFile, isKey, readAuthorizedKeys, readKeyFile, ROLES } from './zmq/keys.ts'
export type { AuthorizedKey, KeyPair, Role } from './zmq/keys.ts'
