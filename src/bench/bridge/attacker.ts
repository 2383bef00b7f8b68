import type { Endpoints } from '../../../bridges/zmq/sockets.ts'
import { ATTACKS } from './attacks.ts'

/** Does one attack after the other, each when it is told its name, in a process of its own. The only argument are the robot's endpoints as JSON. */
const endpoints = JSON.parse(process.argv[2]!) as Endpoints
process.on('message', (name) => {
  void ATTACKS[name as string]!(endpoints).then(() => process.send?.('done'))
})
process.on('disconnect', () => process.exit())
process.on('SIGINT', () => undefined)
process.send?.(Object.keys(ATTACKS))
