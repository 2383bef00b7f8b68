// A process that leaves in the way that its first argument says, with messages that nobody will take and receives that never end.
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { RobotServer } from '../../../bridges/server/robot-server.ts'
import { SendQueue } from '../../../bridges/zmq/queue.ts'
import { bindRobotSockets, connectControl, endpointsBeside, makeClientSockets } from '../../../bridges/zmq/sockets.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'
import { PATIENCE_MS } from '../helpers.ts'

const [how] = process.argv.slice(2)
const sockets = await bindRobotSockets(endpointsBeside('tcp://127.0.0.1:*'), {}, () => {})
const { context, control } = connectControl('tcp://127.0.0.1:9', undefined, 'nobody')
const rest = makeClientSockets(context, undefined, 'nobody', { observation: '', telemetry: [''] })
rest.action.connect('tcp://127.0.0.1:9')
const queues = [sockets.control, sockets.observation, sockets.telemetry, control, rest.action].map(
  (socket) => new SendQueue(socket, 1000, 'refuse'),
)
for (const queue of queues) for (let i = 0; i < 500; i++) queue.push(Buffer.from('somebody'), Buffer.alloc(100_000, i))
const receiving = [sockets.control, sockets.action, control, rest.observation].map((socket) => socket.receive())
for (const receive of receiving) receive.catch(() => undefined)
const server = new RobotServer({ robot: new SimpleRobot(), clock })
await server.start()
const client = await PolicyClient.connect({ endpoint: server.endpoints.control, clock, timeoutMs: PATIENCE_MS })
client.nextObservation().catch(() => undefined)
process.stdout.write('ready\n')
if (how === 'exit') process.exit(3)
if (how === 'throw')
  setImmediate(() => {
    throw new Error('not caught')
  })
if (how === 'close') {
  await client.close()
  await server.close()
  for (const queue of queues) queue.close()
  for (const socket of [...Object.values(sockets), control, ...Object.values(rest)]) {
    if (typeof socket === 'object' && 'closed' in socket) socket.close()
  }
}
