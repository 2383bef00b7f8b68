import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openActive, openBridge, until, wait } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

const LOADER = fileURLToPath(new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url))
const SCRIPT = fileURLToPath(new URL('undeliverable.ts', import.meta.url))

/** Runs the script; how long it took to leave by its own clock and by ours, and how it ended. */
async function leave(
  how: string,
): Promise<{ readonly ownMs: number; readonly ms: number; readonly code: number | null }> {
  const child = spawn(process.execPath, ['--import', LOADER, SCRIPT, how], { stdio: ['ignore', 'pipe', 'pipe'] })
  const killer = setTimeout(() => child.kill('SIGKILL'), 50_000)
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  await Promise.race([once(child.stdout, 'data'), closed])
  const startUs = clock()
  const [code] = await closed
  clearTimeout(killer)
  return { ownMs: Number(/left after ([\d.]+) ms/.exec(errors)?.[1]), ms: (clock() - startUs) / 1000, code }
}

describe('leaving with messages that nobody takes', () => {
  it.each([
    ['close', 0],
    ['exit', 3],
    ['throw', 1],
  ])('%s ends the process in less than a second', async (how, code) => {
    const left = await leave(how)
    expect(left.code).toBe(code)
    expect(left.ownMs).toBeLessThan(1000)
    // Starting and ending a process takes its time on a busy machine; what lingers would never end.
    expect(left.ms).toBeLessThan(5000)
  })

  it('a robot says goodbye, stops and closes in time, even one that does not answer', async () => {
    const bridge = await openBridge()
    const told: string[] = []
    const client = await openActive(bridge, (event) => {
      if (event.source === 'connection') told.push(event.code)
    })
    bridge.robot.delay = () => wait(3000)
    client.act(Float32Array.of(0.5, 0), { observationSeq: 1 })
    await wait(60)
    const startUs = clock()
    await bridge.server.close()
    expect((clock() - startUs) / 1000).toBeLessThan(1000)
    expect(await until(() => told.includes('bye'))).toBe(true)
    expect(bridge.robot.stops).toContain('safe')
    await client.close()
  })
})
