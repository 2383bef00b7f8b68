import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { clock } from '../simple-robot.ts'

/**
 * A controller in a process of its own, told by messages of its parent: `drive` (waves the joints, answering each observation), `flood`
 * (sends such actions at 1 kHz instead) and `block` (keeps its event loop busy for 2.5 s). The only argument is the robot's endpoint.
 */
const endpoint = process.argv[2]!
let client: PolicyClient | undefined

async function begin(): Promise<PolicyClient> {
  await client?.close()
  client = await PolicyClient.connect({ endpoint, clock, name: 'driver', timeoutMs: 20_000 })
  await client.lease()
  await client.arm()
  await client.start()
  return client
}

/** Too fast for the limits, so that the robot is never at rest. */
function wave(): Float32Array {
  const angle = 2 * Math.PI * (clock() / 1e6)
  return Float32Array.of(0.6 * Math.sin(angle), 0.6 * Math.cos(angle))
}

async function drive(): Promise<void> {
  const mine = await begin()
  process.send?.('driving')
  for await (const { observationSeq } of mine.observations()) mine.act(wave(), { observationSeq })
}

async function flood(): Promise<void> {
  const mine = await begin()
  process.send?.('driving')
  for (let sent = 0; mine.hasLease; sent++) {
    mine.act(wave(), { observationSeq: 0 })
    if (sent % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

function block(): void {
  const untilUs = clock() + 2_500_000
  while (clock() < untilUs);
}

process.on('message', (command) => {
  if (command === 'block') return block()
  // What ends it is the robot's stop, which the parent looks at.
  ;(command === 'flood' ? flood() : drive()).catch(() => undefined)
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
