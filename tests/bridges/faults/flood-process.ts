import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { clock } from '../simple-robot.ts'

/** Sends actions at 1 kHz, whatever the robot says, and starts it again whenever it is told to. The argument is the robot's endpoint. */
const client = await PolicyClient.connect({ endpoint: process.argv[2]!, clock, name: 'flood', timeoutMs: 20_000 })
await client.lease()

const startUs = clock()
let sent = 0
function flood(): void {
  for (; sent < (clock() - startUs) / 1000; sent++) {
    client.act(Float32Array.of((sent % 1000) / 1000, 0), { observationSeq: 0 })
  }
  setTimeout(flood, 0)
}
flood()

async function begin(): Promise<void> {
  await client.arm()
  await client.start()
  process.send?.(sent / ((clock() - startUs) / 1e6))
}
process.on('message', () => void begin())
process.on('disconnect', () => process.exit())
process.send?.('ready')
