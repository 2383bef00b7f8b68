import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'

/** Ends in the middle of everything, without a word to its sockets. */
const server = new RobotServer({ robot: new SimpleRobot(), clock })
await server.start()
await PolicyClient.connect({ endpoint: server.endpoints.control, clock, timeoutMs: 20_000 })
process.exit(3)
